import { lstatSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CliError } from '../errors.ts';
import type { Worktree } from '../git.ts';
import { clean, cleanBlock } from '../text.ts';
import { plumbing } from '../wip/plumbing.ts';

/** `100644 <blob>` of each path; a path that is not there has none. */
export type Entries = Map<string, string>;

/** An index beside the user's, with which git looks at and makes file contents while neither index nor worktree change. */
export type Scratch = {
  /** Git's answer; throws what git said when it fails. */
  git: (args: string[], stdin?: string) => Promise<Buffer>;
  /** The same, where failing is an answer. */
  attempt: (args: string[], stdin?: string) => Promise<{ ok: boolean; err: string }>;
  /** Begins with a commit's files, or none. */
  reset: (commit: string | undefined) => Promise<void>;
  /** Takes these files as they are in the worktree now. */
  take: (paths: string[]) => Promise<void>;
  entries: (paths: string[]) => Promise<Entries>;
  put: (entries: Entries, paths: string[]) => Promise<void>;
  /** Makes the worktree's files what the scratch has; files that it has not are removed. */
  checkOut: (paths: string[]) => Promise<void>;
};

let count = 0;

export async function withScratch<T>({ toplevel, gitDir }: Worktree, use: (scratch: Scratch) => Promise<T>): Promise<T> {
  const index = join(gitDir, 'nexus', `patch-${process.pid}-${(count += 1)}.index`);
  const run = (args: string[], stdin?: string) =>
    plumbing(toplevel, ['--literal-pathspecs', '-c', 'core.quotePath=false', ...args], {
      index,
      ...(stdin === undefined ? {} : { stdin }),
    });
  const git: Scratch['git'] = async (args, stdin) => {
    const { ok, out, err } = await run(args, stdin);
    if (!ok) throw new CliError('failure', 'GIT_FAILED', `git ${args[0] ?? ''}: ${cleanBlock(err) || 'it failed or was too slow'}`);
    return out;
  };
  const entries: Scratch['entries'] = async (paths) => {
    const listed = (await git(['ls-files', '-s', '-z', '--', ...paths])).toString();
    return new Map(
      listed.split('\0').flatMap((line): [string, string][] => {
        const [, mode, blob, name] = /^(\d+) ([0-9a-f]+) \d\t(.*)$/s.exec(line) ?? [];
        return mode === undefined || name === undefined ? [] : [[name, `${mode} ${blob ?? ''}`]];
      }),
    );
  };
  const nul = (paths: string[]): string => paths.map((path) => `${path}\0`).join('');
  const remove = async (paths: string[]): Promise<void> => {
    if (paths.length > 0) await git(['update-index', '--force-remove', '-z', '--stdin'], nul(paths));
  };
  try {
    mkdirSync(dirname(index), { recursive: true });
    return await use({
      git,
      attempt: async (args, stdin) => {
        const { ok, err } = await run(args, stdin);
        return { ok, err };
      },
      reset: async (commit) => void (await git(['read-tree', commit ?? '--empty'])),
      take: async (paths) => {
        const there = paths.filter((path) => exists(toplevel, path));
        await remove(paths.filter((path) => !there.includes(path)));
        if (there.length > 0) await git(['update-index', '--add', '--replace', '-z', '--stdin'], nul(there));
      },
      entries,
      put: async (known, paths) => {
        await remove(paths.filter((path) => !known.has(path)));
        const lines = paths.flatMap((path) => (known.has(path) ? [`${known.get(path) ?? ''}\t${path}\0`] : []));
        if (lines.length > 0) await git(['update-index', '-z', '--index-info'], lines.join(''));
      },
      checkOut: async (paths) => {
        const known = await entries(paths);
        const kept = paths.filter((path) => known.has(path));
        if (kept.length > 0) await git(['checkout-index', '-f', '-z', '--stdin'], nul(kept));
        for (const path of paths) if (!known.has(path)) rmSync(join(toplevel, path), { force: true });
      },
    });
  } finally {
    rmSync(index, { force: true });
    rmSync(`${index}.lock`, { force: true });
  }
}

/** What lies behind a symlink is no file of this place: git would put a directory in its stead. */
function exists(toplevel: string, path: string): boolean {
  const parents = path.split('/').slice(0, -1);
  const link = parents.map((_, depth) => parents.slice(0, depth + 1).join('/')).find((dir) => isLink(join(toplevel, dir)));
  if (link !== undefined) throw new CliError('failure', 'GIT_FAILED', `${clean(link)} is a symlink here: nothing below it is changed.`);
  return lstatSync(join(toplevel, path), { throwIfNoEntry: false }) !== undefined;
}

const isLink = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;

export async function headOf({ toplevel }: Worktree): Promise<string | undefined> {
  const { ok, out } = await plumbing(toplevel, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']);
  return ok ? out.toString().trim() : undefined;
}
