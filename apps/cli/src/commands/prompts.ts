import { interrupted } from '../errors.ts';

type Choice<T> = { value: T; label: string; hint?: string };
type Question = { message: string; initial?: string | undefined };

// Loaded when somebody is asked: every other command starts without it.
const prompts = () => import('@clack/prompts');

export async function ask({ message, initial }: Question): Promise<string> {
  const { text, isCancel } = await prompts();
  const validate = (value: string | undefined): string | undefined => (value?.trim() || initial ? undefined : 'An answer is needed.');
  const answer = await text({
    message,
    validate,
    output: process.stderr,
    ...(initial === undefined ? {} : { defaultValue: initial, placeholder: initial }),
  });
  if (isCancel(answer)) throw interrupted();
  return answer.trim() || (initial ?? '');
}

export async function askSecret(message: string): Promise<string> {
  const { password, isCancel } = await prompts();
  const answer = await password({ message, output: process.stderr });
  if (isCancel(answer)) throw interrupted();
  return answer.trim();
}

export async function choose<T extends string>(message: string, options: Choice<T>[]): Promise<T> {
  const { select, isCancel } = await prompts();
  const answer = await select<string>({ message, options, output: process.stderr });
  const chosen = options.find(({ value }) => value === answer);
  if (isCancel(answer) || chosen === undefined) throw interrupted();
  return chosen.value;
}
