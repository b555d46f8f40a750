import type { Conflict } from '@nexus/contract';
import type { Context } from '../context.ts';
import { describeConflicts } from '../conflicts.ts';
import { clean } from '../text.ts';
import { type Guard, isOnList } from './guard.ts';
import { createRunGit, stagedPaths, succeeds, toNexusPaths } from './repository.ts';

/** Why this commit must not be; undefined when it may. */
export async function refuseCommit(context: Context, guard: Guard): Promise<string | undefined> {
  const git = createRunGit(context);
  const staged = await stagedPaths(git);
  if (staged.length === 0) return undefined;
  const toName = await toNexusPaths(context, git);
  const inCheckout = new Map(staged.map((path) => [toName(path), path]));
  const policy = await guard.policy();
  const guarded = [...inCheckout.keys()].filter((path) => !isOnList(path, policy.derived));
  const { theirs, unclaimed } = await guard.verify(guarded);
  const local = (paths: string[]): string[] => [...new Set(paths)].map((path) => inCheckout.get(path) ?? path);
  const unstage = (await succeeds(git, ['rev-parse', '--verify', '--quiet', 'HEAD'])) ? 'git restore --staged --' : 'git rm --cached --';
  if (theirs.length > 0) return refusal('commit', theirs, `${unstage} ${quoted(local(theirs.map(({ filePath }) => filePath)))}`);
  if (policy.edits !== 'strict' || unclaimed.length === 0) return undefined;
  return [
    'nexus: this project takes only commits of claimed paths, and this session has not claimed:',
    '',
    ...unclaimed.map((path) => `  ${clean(path)}`),
    '',
    `Claim them:    nexus claims add ${quoted(local(unclaimed))}`,
    `Or leave out:  ${unstage} ${quoted(local(unclaimed))}`,
    around('commit'),
  ].join('\n');
}

function refusal(verb: string, theirs: Conflict[], command: string): string {
  return [
    `nexus: this ${verb} changes what somebody else holds:`,
    '',
    describeConflicts(theirs),
    '',
    `Leave out:  ${command}`,
    '            (your changes stay in the files)',
    around(verb),
  ].join('\n');
}

/** How to go around the guard, for when it is wrong. */
export const around = (verb: string): string => `All the same:  NEXUS_SKIP=1 git ${verb} …, or git ${verb} --no-verify`;

/** For a shell; a path that needs no quotes has none. */
export const quoted = (paths: string[]): string =>
  paths.map((path) => (/^[\w@%+=:,./-]+$/.test(path) ? path : `'${clean(path).replaceAll("'", "'\\''")}'`)).join(' ');
