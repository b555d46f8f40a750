import type { LeftBehind } from '@nexus/contract';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { Worktree } from '../git.ts';
import { plumb } from './plumbing.ts';
import { wipRef } from './snapshot.ts';

/** `here`: it is uncommitted in this worktree already. `clashes`: it does not fit what this worktree has; nothing was written. */
export type Restored = { state: 'restored' | 'here' | 'clashes'; files: string[] };

/** Its ref, when this repository has it. */
export async function hasWip({ toplevel }: Pick<Worktree, 'toplevel'>, sessionId: string): Promise<string | undefined> {
  const ref = wipRef(sessionId);
  const found = ref && (await plumb(toplevel, ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`]));
  return found === undefined ? undefined : ref;
}

/** Brings a session's ref into this repository: from its worktree where that is on this machine, else from origin. */
export async function findWip(worktree: Worktree, left: LeftBehind, machine: string): Promise<string | undefined> {
  const { sessionId } = left;
  const ref = wipRef(sessionId);
  const there = left.machine === machine && left.worktree !== null && isAbsolute(left.worktree) && existsSync(left.worktree);
  for (const from of there ? [left.worktree ?? '', 'origin'] : ['origin']) {
    const found = await hasWip(worktree, sessionId);
    if (found !== undefined) return found;
    await plumb(worktree.toplevel, ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--', from, `${ref}:${ref}`]);
  }
  return hasWip(worktree, sessionId);
}

/** Writes what a session left into the worktree, as changes that are not committed: all of it or nothing. */
export async function restoreWip({ toplevel, gitDir }: Worktree, ref: string): Promise<Restored> {
  const [base = '', ...more] = ((await plumb(toplevel, ['log', '-1', '--format=%P', ref])) ?? '').split(' ');
  const isOnBase = base !== '' && (more.length > 0 || !(await isWip(toplevel, base)));
  const from = isOnBase ? base : await emptyTree(toplevel);
  const files = ((await plumb(toplevel, ['diff-tree', '-r', '--name-only', '--no-renames', '-z', from, ref])) ?? '')
    .split('\0')
    .filter(Boolean);
  if (files.length === 0) return { state: 'here', files };
  const patch = join(gitDir, 'nexus', `wip-${process.pid}.patch`);
  try {
    mkdirSync(join(gitDir, 'nexus'), { recursive: true });
    await plumb(toplevel, ['diff-tree', '-p', '--binary', '--full-index', '--no-renames', `--output=${patch}`, from, ref]);
    const apply = (...args: string[]) => plumb(toplevel, ['apply', '--whitespace=nowarn', ...args, patch]);
    if ((await apply('--reverse', '--check')) !== undefined) return { state: 'here', files };
    return { state: (await apply()) === undefined ? 'clashes' : 'restored', files };
  } finally {
    rmSync(patch, { force: true });
  }
}

/** How a commit stands to this worktree's: in its history, beside it, or not in this repository at all. */
export async function standingOf(toplevel: string, commit: string): Promise<'merged' | 'apart' | 'missing'> {
  if ((await plumb(toplevel, ['cat-file', '-e', `${commit}^{commit}`])) === undefined) return 'missing';
  return (await plumb(toplevel, ['merge-base', '--is-ancestor', commit, 'HEAD'])) === undefined ? 'apart' : 'merged';
}

/** In a repository without a commit there was nothing to write on. */
const isWip = async (toplevel: string, commit: string): Promise<boolean> =>
  (await plumb(toplevel, ['log', '-1', '--format=%s', commit]))?.startsWith('nexus: uncommitted') === true;

const emptyTree = async (toplevel: string): Promise<string> => (await plumb(toplevel, ['hash-object', '-t', 'tree', '--stdin'])) ?? '';

/** What a person can type instead. */
export const wipCommand = (sessionId: string): string => {
  const ref = wipRef(sessionId) ?? '';
  return `git diff --binary ${ref}^ ${ref} | git apply`;
};
