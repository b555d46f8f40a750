import { createClient } from '@nexus/client';
import { updateUserConfig } from './config.ts';
import type { Context } from './context.ts';
import { CliError, usage } from './errors.ts';

export type Engineer = { id: string; name: string; email: string };

export type Registration = { name: string; email: string; invite?: string | undefined; setupCode?: string | undefined };

/** Registers, and keeps the key that is shown only this once. `projectId` is the project that the invitation was for. */
export async function register(
  context: Context,
  { name, email, invite, setupCode }: Registration,
): Promise<{ engineer: Engineer; projectId: string | null }> {
  const { server } = await context.settings();
  const before = (await context.credentials()).get(server);
  if (before !== undefined && !context.assumeYes) {
    throw new CliError(
      'conflict',
      'ALREADY_LOGGED_IN',
      `You are logged in at ${server}${before.email ? ` as ${before.email}` : ''}. \`nexus logout\` first, or repeat with --yes: the stored key is then lost.`,
    );
  }
  const body = { name, email, ...(invite === undefined ? {} : { invite }), ...(setupCode === undefined ? {} : { setupCode }) };
  const { engineer, apiKey, projectId } = await createClient({ server }).register({ body });
  await store(context, apiKey, engineer);
  return { engineer, projectId };
}

/** Tries the key, then keeps it. */
export async function logInWith(context: Context, apiKey: string): Promise<Engineer> {
  const { server } = await context.settings();
  const { id, name, email } = await createClient({ server, apiKey }).me();
  await store(context, apiKey, { id, name, email });
  return { id, name, email };
}

async function store(context: Context, apiKey: string, { name, email }: Engineer): Promise<void> {
  const { server, dirs } = await context.settings();
  (await context.credentials()).set(server, { apiKey, name, email });
  updateUserConfig(dirs, { server });
  if (context.io.env['NEXUS_TOKEN']) context.out.warn('NEXUS_TOKEN is set and is used instead of the key that was stored now.');
}

/** The key behind `--token`: `-` reads stdin, which keeps it out of the shell's history and the process list. */
export async function readToken(context: Context, option: string): Promise<string> {
  if (option !== '-')
    context.out.warn('a key on the command line shows in the process list and in the shell’s history; `--token -` reads it from stdin.');
  const token = (option === '-' ? await context.io.stdin.read() : option).trim();
  if (token === '') throw usage('The key is empty.');
  return token;
}
