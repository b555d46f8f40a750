import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';

/** Uncommitted paths below the top of a worktree, each with what tells one state of the file from another. */
export type Dirty = Map<string, string>;

/** Answers git's bytes; undefined when it fails or takes longer. */
export type RunGit = (dir: string, args: string[], timeoutMs: number) => Promise<string | undefined>;

export const runGit: RunGit = (dir, args, timeoutMs) =>
  new Promise((resolve) => {
    const { GIT_DIR: _dir, GIT_WORK_TREE: _tree, GIT_INDEX_FILE: _index, GIT_PREFIX: _prefix, ...env } = process.env;
    execFile(
      'git',
      ['-C', dir, ...args],
      { timeout: timeoutMs, maxBuffer: 16 * 1024 * 1024, env: { ...env, GIT_OPTIONAL_LOCKS: '0' } },
      (error, stdout) => resolve(error === null ? stdout : undefined),
    );
  });

/** A tree with more changes than this is no work of one command. */
const most = 2000;

/** Undefined when git is too slow here: then nothing is compared. */
export async function dirtyPaths(run: RunGit, toplevel: string, timeoutMs: number): Promise<Dirty | undefined> {
  const output = await run(toplevel, ['status', '--porcelain=v1', '-z', '--untracked-files=all', '--no-renames'], timeoutMs);
  if (output === undefined) return undefined;
  const paths = output
    .split('\0')
    .filter((entry) => entry.length > 3)
    .map((entry) => entry.slice(3));
  return paths.length > most ? undefined : new Map(paths.map((path) => [path, signature(join(toplevel, path))]));
}

function signature(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? 'gone' : `${stat.mtimeMs} ${stat.size}`;
}

/** What changed between the two looks. */
export const changed = (before: Dirty, after: Dirty): string[] =>
  [...after].filter(([path, state]) => before.get(path) !== state).map(([path]) => path);

/** Those of these paths that git does not ignore. */
export async function notIgnored(run: RunGit, toplevel: string, paths: string[]): Promise<string[]> {
  if (paths.length === 0) return [];
  // Exit code 1, and so undefined: none of them is ignored.
  const output = await run(toplevel, ['-c', 'core.quotePath=false', 'check-ignore', '--', ...paths.map((path) => `./${path}`)], 400);
  const ignored = new Set((output ?? '').split('\n').map((path) => path.replace(/^\.\//, '')));
  return paths.filter((path) => !ignored.has(path));
}
