import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, appendFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The trimmed answer of git; undefined when it fails, is missing or `dir` is no repository. */
export async function git(dir: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { stdout } = await run('git', ['-C', dir, ...args], { timeout: 10_000, env: withoutRepositoryOverrides(process.env) });
    return stdout.replace(/\n$/, '');
  } catch {
    return undefined;
  }
}

/** In a git hook these name the hook's repository, whatever directory is asked about. */
function withoutRepositoryOverrides(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { GIT_DIR: _dir, GIT_WORK_TREE: _tree, GIT_INDEX_FILE: _index, GIT_PREFIX: _prefix, ...rest } = env;
  return rest;
}

export type Worktree = {
  /** Physical path of this checkout. */
  toplevel: string;
  /** This worktree's own git directory. */
  gitDir: string;
  /** The repository's git directory, shared by its worktrees. */
  commonDir: string;
  /** The main checkout, when this is a linked worktree. */
  mainCheckout: string | undefined;
  branch: string | undefined;
};

/** The checkout that `dir` is in; a submodule's files belong to its superproject. */
export async function findWorktree(dir: string): Promise<Worktree | undefined> {
  const toplevel = await toplevelOf(dir);
  if (toplevel === undefined) return undefined;
  const answer = await git(toplevel, 'rev-parse', '--absolute-git-dir', '--git-common-dir');
  const [gitDir, common] = answer?.split('\n') ?? [];
  if (gitDir === undefined || common === undefined) return undefined;
  const commonDir = resolve(toplevel, common);
  const linked = resolve(gitDir) !== commonDir;
  return {
    toplevel,
    gitDir,
    commonDir,
    mainCheckout: linked && basename(commonDir) === '.git' ? dirname(commonDir) : undefined,
    branch: (await git(toplevel, 'symbolic-ref', '--quiet', '--short', 'HEAD')) ?? (await git(toplevel, 'rev-parse', '--short', 'HEAD')),
  };
}

export async function toplevelOf(dir: string): Promise<string | undefined> {
  const answer = await git(dir, 'rev-parse', '--show-toplevel', '--show-superproject-working-tree');
  const [toplevel, superproject] = answer?.split('\n') ?? [];
  if (!toplevel) return undefined;
  return superproject ? ((await toplevelOf(superproject)) ?? superproject) : toplevel;
}

/** Keeps `.nexus/` out of commits without touching a file that the team shares. */
export function excludeFromGit(worktree: Worktree): void {
  const path = join(worktree.commonDir, 'info', 'exclude');
  const before = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (before.split('\n').some((line) => line.trim() === '.nexus/')) return;
  mkdirSync(dirname(path), { recursive: true });
  appendFileSync(path, `${before === '' || before.endsWith('\n') ? '' : '\n'}.nexus/\n`);
}

/** The remote's address without any name or password in it. */
export async function originUrl(dir: string): Promise<string | undefined> {
  const url = await git(dir, 'remote', 'get-url', 'origin');
  if (!url) return undefined;
  try {
    const parsed = new URL(url);
    parsed.username = '';
    parsed.password = '';
    return parsed.href;
  } catch {
    return url;
  }
}
