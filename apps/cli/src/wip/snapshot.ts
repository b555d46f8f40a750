import { isWithin, overlaps, parseClaim } from '@nexus/paths';
import { lstatSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { plumb } from './plumbing.ts';

/** What of a worktree was not committed, as a commit beside all branches: its first parent is what it was written on. */
export type Snapshot = { ref: string; commit: string; base: string | null; files: string[] };

type Work = {
  toplevel: string;
  gitDir: string;
  sessionId: string;
  /** What the session held, as it was claimed. */
  paths: string[];
  /** What of that others hold now. */
  except?: string[];
  /** `left`: its session is gone, so there is nothing newer to come. */
  as: 'saved' | 'left';
};

/** The id comes from a server: only a well-formed one becomes part of a name. */
export const wipRef = (sessionId: string): string | undefined =>
  /^[0-9a-f-]{36}$/.test(sessionId) ? `refs/nexus/wip/${sessionId}` : undefined;

/**
 * Keeps what is uncommitted below `paths` under the session's ref, untracked files included, ignored ones not. Touches
 * neither the index nor the worktree, no stash and no branch. Undefined: nothing is uncommitted there, or git failed.
 */
export async function snapshot({ toplevel, gitDir, sessionId, paths, except = [], as }: Work): Promise<Snapshot | undefined> {
  const ref = wipRef(sessionId);
  const files = ref === undefined ? [] : await uncommitted(toplevel, paths, except);
  if (ref === undefined || files.length === 0) return undefined;
  const index = join(gitDir, 'nexus', `wip-${sessionId}-${process.pid}-${Date.now()}.index`);
  try {
    mkdirSync(dirname(index), { recursive: true });
    const base = (await plumb(toplevel, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'])) ?? null;
    if ((await plumb(toplevel, ['read-tree', base ?? '--empty'], { index })) === undefined) return undefined;
    await add(toplevel, index, files);
    const tree = await plumb(toplevel, ['write-tree'], { index });
    if (tree === undefined) return undefined;
    const before = await plumb(toplevel, ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`]);
    const isNews = before === undefined || (as === 'left' && !(await isKept(toplevel, sessionId)));
    if (!isNews && (await isSame(toplevel, before, tree, base))) return { ref, commit: before, base, files };
    // What a session saved itself is older than what it left, and a taker may have begun to edit: that is kept as well.
    const parents = [base, as === 'left' ? before : undefined].flatMap((parent) => (parent ? ['-p', parent] : []));
    const commit = await plumb(toplevel, ['commit-tree', tree, ...parents, '-m', subject(as, sessionId)]);
    if (commit === undefined || (await plumb(toplevel, ['update-ref', ref, commit, before ?? ''])) === undefined) return undefined;
    await forgetOld(toplevel);
    return { ref, commit, base, files };
  } finally {
    rmSync(index, { force: true });
  }
}

const isSame = async (toplevel: string, commit: string, tree: string, base: string | null): Promise<boolean> =>
  (await plumb(toplevel, ['log', '-1', '--format=%T %P', commit]))?.split(' ').slice(0, 2).join(' ').trim() ===
  `${tree} ${base ?? ''}`.trim();

const subject = (as: Work['as'], sessionId: string): string => `nexus: uncommitted, ${as} by session ${sessionId}`;

/** Whether what the session left has been kept since it is gone. */
export async function isKept(toplevel: string, sessionId: string): Promise<boolean> {
  const ref = wipRef(sessionId);
  return ref === undefined || (await plumb(toplevel, ['log', '-1', '--format=%s', ref]))?.includes(', left by') === true;
}

/** One that cannot be read must not cost the others. */
async function add(toplevel: string, index: string, files: string[]): Promise<void> {
  const into = (some: string[]) =>
    plumb(toplevel, ['update-index', '--add', '--remove', '--replace', '-z', '--stdin'], {
      index,
      stdin: some.map((file) => `${file}\0`).join(''),
    });
  if ((await into(files)) !== undefined) return;
  for (const file of files) await into([file]);
}

async function uncommitted(toplevel: string, paths: string[], except: string[]): Promise<string[]> {
  const [held, others] = [claimsOf(paths), claimsOf(except)];
  if (held.length === 0) return [];
  const status = await plumb(toplevel, ['status', '--porcelain=v1', '-z', '--untracked-files=all', '--no-renames']);
  const dirty = (status ?? '').split('\0').flatMap((entry) => (entry.length > 3 ? [entry.slice(3)] : []));
  return dirty.filter((path) => covered(path, held) && !covered(path, others) && isKeepable(join(toplevel, path))).slice(0, most);
}

/** What is larger is no source. */
const largest = 50 * 1024 * 1024;
const most = 10_000;

/** A directory here is a repository of its own, which nobody has added. */
function isKeepable(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat === undefined || stat.isSymbolicLink() || (stat.isFile() && stat.size <= largest);
}

/** Far longer than anybody waits to take work over: a repository must not fill with refs. */
const keptDays = 90;

async function forgetOld(toplevel: string): Promise<void> {
  const refs = (await plumb(toplevel, ['for-each-ref', '--format=%(committerdate:unix) %(refname)', 'refs/nexus/wip'])) ?? '';
  for (const line of refs.split('\n')) {
    const [seconds, ref] = line.split(' ');
    if (ref !== undefined && Number(seconds) * 1000 < Date.now() - keptDays * 86_400_000) await plumb(toplevel, ['update-ref', '-d', ref]);
  }
}

type Held = ReturnType<typeof claimsOf>;

const claimsOf = (paths: string[]) =>
  paths.flatMap((path) => {
    const parsed = parseClaim(path);
    return parsed.ok && parsed.claim.mode === 'write' ? [parsed.claim] : [];
  });

function covered(path: string, held: Held): boolean {
  const parsed = parseClaim({ path: `./${path}`, kind: 'file' });
  return held.some((claim) => (parsed.ok ? overlaps(parsed.claim, claim) : isWithin(`/${path}`, claim.node)));
}
