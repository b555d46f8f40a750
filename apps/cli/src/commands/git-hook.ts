import { NexusUnreachable } from '@nexus/client';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { problemOf } from '../errors.ts';
import { hookNames, type HookName } from '../guard/blocks.ts';
import { addTrailers } from '../guard/commit-msg.ts';
import { type Guard, isLinked, openGuard, rememberedPolicy } from '../guard/guard.ts';
import { giveBackBrief } from '../guard/post-commit.ts';
import { around, refuseCommit } from '../guard/pre-commit.ts';
import { refusePush } from '../guard/pre-push.ts';
import { clean } from '../text.ts';
import type { Runner } from './command.ts';

/** The only exit code that the hooks of `nexus install git` take as a refusal. */
const refused = 1;

export function addGitHookCommand(program: Command, run: Runner): void {
  program
    .command('git-hook', { hidden: true })
    .description('What the git hooks run; `nexus install git` puts them in place')
    .argument('<hook>')
    .argument('[args...]')
    .action(
      run(async (context, hook: string, args: string[]) => {
        const known = hookNames.find((name) => name === hook);
        // A hook that a later version put here is no reason to stop a commit.
        if (known === undefined || context.io.env['NEXUS_SKIP']) return;
        const reason = await answer(context, known, args);
        if (reason === undefined) return;
        context.io.stderr.write(`${reason}\n`);
        context.exitWith(refused);
      }),
    );
}

/** Why git shall stop. Whatever goes wrong here stops nobody, but in a strict project what cannot be checked may not pass. */
async function answer(context: Context, hook: HookName, args: string[]): Promise<string | undefined> {
  try {
    return (await isLinked(context)) ? await ask(context, await openGuard(context), hook, args) : undefined;
  } catch (error) {
    const problem = problemOf(error);
    const what = `nexus: ${hook} not checked: ${clean(problem.message)}`;
    const blocks = hook === 'pre-commit' || hook === 'pre-push';
    const strict = blocks && (await rememberedPolicy(context)).edits === 'strict';
    if (strict && isAway(error)) return `${what}\nThis project is strict, so it waits.\n${around(hook === 'pre-push' ? 'push' : 'commit')}`;
    // One line for one commit: the hooks after the first have nothing to add.
    if (blocks) context.io.stderr.write(`${what}\n`);
    return undefined;
  }
}

const isAway = (error: unknown): boolean => error instanceof NexusUnreachable || problemOf(error).code === 'SERVICE_UNAVAILABLE';

async function ask(context: Context, guard: Guard, hook: HookName, [first = '']: string[]): Promise<string | undefined> {
  switch (hook) {
    case 'pre-commit':
      return refuseCommit(context, guard);
    case 'commit-msg':
      await addTrailers(context, guard, first);
      return undefined;
    case 'post-commit':
      for (const path of await giveBackBrief(context, guard)) context.io.stderr.write(`nexus: gave back ${clean(path)}\n`);
      return undefined;
    case 'pre-push':
      return refusePush(context, guard, first, await context.io.stdin.read());
  }
}
