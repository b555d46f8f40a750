import type { Command } from 'commander';
import type { Context } from '../context.ts';
import type { Finding } from '../doctor/finding.ts';
import { checkClaude } from '../doctor/claude.ts';
import { checkGitHooks } from '../doctor/git-hooks.ts';
import { checkHook, checkKeeper, checkLeftovers, checkProgram, checkRuntime } from '../doctor/machine.ts';
import { checkKeyFile, checkLink, checkLogin, checkMembership, checkServer, checkWorktree } from '../doctor/project.ts';
import { exitCodes, problemOf } from '../errors.ts';
import { examples, type Runner } from './command.ts';

export function addDoctorCommand(program: Command, run: Runner): void {
  examples(
    program
      .command('doctor')
      .description(
        'Looks at everything between an agent’s edit and the server, and says what to repair; exit code 1 when something is wrong',
      ),
    'nexus doctor',
    'nexus doctor --json',
  ).action(
    run(async (context) => {
      const findings = await examine(context);
      const healthy = findings.every(({ state }) => state !== 'wrong');
      context.out.data({ ok: healthy, findings }, () => findings.map((finding) => line(context, finding)).join('\n'));
      if (!healthy) context.exitWith(exitCodes.failure);
    }),
  );
}

/** One after another, in the order in which one would repair them. */
async function examine(context: Context): Promise<Finding[]> {
  const findings: Finding[] = [];
  const add = async (check: string, look: () => Finding | Promise<Finding>): Promise<void> => {
    try {
      findings.push(await look());
    } catch (error) {
      findings.push({ check, state: 'wrong', says: problemOf(error).message });
    }
  };
  await add('program', () => checkProgram(context));
  await add('runtime', checkRuntime);
  await add('key file', () => checkKeyFile(context));
  await add('server', () => checkServer(context));
  await add('login', () => checkLogin(context));
  await add('worktree', () => checkWorktree(context));
  await add('project', () => checkLink(context));
  if (findings.at(-1)?.state === 'ok') await add('membership', () => checkMembership(context));
  await add('keeper', () => checkKeeper(context));
  await add('git hooks', () => checkGitHooks(context));
  const { finding, hook } = await checkClaude(context);
  findings.push(finding);
  await add('leftovers', () => checkLeftovers(context));
  await add('hook', () => checkHook(context, hook));
  return findings;
}

const marks = { ok: ['green', '✓'], note: ['yellow', '!'], wrong: ['red', '✗'] } as const;

function line({ out }: Context, { check, state, says, remedy }: Finding): string {
  const [style, mark] = marks[state];
  const first = `${out.paint(style, mark)} ${check.padEnd(11)}  ${says}`;
  return remedy === undefined ? first : `${first}\n${' '.repeat(15)}→ ${remedy}`;
}
