import { spawn } from 'node:child_process';
import { relative, sep } from 'node:path';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';

/** Git as the hook's own environment means it: its index may be a temporary one (`git commit <path>`). Throws when git fails. */
export type RunGit = (args: string[], stdin?: string) => Promise<string>;

export function createRunGit({ cwd, io }: Pick<Context, 'cwd' | 'io'>): RunGit {
  return (args, stdin) =>
    new Promise((resolve, reject) => {
      const child = spawn('git', args, { cwd, env: io.env, stdio: ['pipe', 'pipe', 'pipe'] });
      const [out, err]: [Buffer[], Buffer[]] = [[], []];
      child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
      child.on('error', reject);
      child.on('close', (code) => {
        if (code === 0) return resolve(Buffer.concat(out).toString('utf8'));
        reject(
          new CliError(
            'failure',
            'GIT_FAILED',
            `git ${args[0] ?? ''}: ${Buffer.concat(err).toString('utf8').trim() || `exit code ${code}`}`,
          ),
        );
      });
      // Git may end before it has read all.
      child.stdin.on('error', () => {});
      child.stdin.end(stdin ?? '');
    });
}

export const succeeds = (git: RunGit, args: string[]): Promise<boolean> =>
  git(args).then(
    () => true,
    () => false,
  );

/** Names below the top of this checkout as Nexus names them: a submodule's files belong to its superproject. */
export async function toNexusPaths(context: Context, git: RunGit): Promise<(path: string) => string> {
  const top = (await git(['rev-parse', '--show-toplevel'])).trimEnd();
  const worktree = await context.worktree();
  const prefix = worktree === undefined ? '' : relative(worktree.toplevel, top).split(sep).join('/');
  return prefix === '' || prefix.startsWith('..') ? (path) => path : (path) => `${prefix}/${path}`;
}

/** Paths of `git … -z`. */
export const namesOf = (output: string): string[] => output.split('\0').filter((name) => name !== '');

const diffNames = ['diff', '--name-only', '-z', '--no-renames', '--no-ext-diff', '--ignore-submodules=none'];

/**
 * What this commit would change: both names of a rename, and what is deleted. In a merge only what differs from every
 * parent: the rest came from others' commits, under their claims.
 */
export async function stagedPaths(git: RunGit): Promise<string[]> {
  const hasHead = await succeeds(git, ['rev-parse', '--verify', '--quiet', 'HEAD']);
  const names = namesOf(await git([...diffNames, '--cached', ...(hasHead ? ['HEAD'] : [])]));
  if (!(await isMerging(git))) return names;
  const fromThere = new Set(namesOf(await git([...diffNames, '--cached', 'MERGE_HEAD'])));
  return names.filter((name) => fromThere.has(name));
}

export const isMerging = (git: RunGit): Promise<boolean> => succeeds(git, ['rev-parse', '--verify', '--quiet', 'MERGE_HEAD']);

/** Everything that differs from the last commit, new files included. */
export async function changedPaths(git: RunGit): Promise<string[]> {
  const output = await git(['status', '--porcelain=v1', '-z', '--untracked-files=all', '--no-renames']);
  return namesOf(output).map((entry) => entry.slice(3));
}
