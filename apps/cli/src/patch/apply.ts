import type { PatchWithDiff } from '@nexus/contract';
import { parseClaim } from '@nexus/paths';
import { CliError } from '../errors.ts';
import type { Worktree } from '../git.ts';
import { clean, shortId } from '../text.ts';
import { type Entries, headOf, type Scratch, withScratch } from './scratch.ts';

/** What applying comes to: nothing is written yet. `paths`: those that it changes here, none where they have it already. */
export type Prepared = { paths: string[]; before: Entries; after: Entries };

/** Merges the patch with these files as they are now, uncommitted changes included. Undefined: it does not fit them. */
export const prepare = (worktree: Worktree, patch: PatchWithDiff): Promise<Prepared | undefined> =>
  withScratch(worktree, async (scratch) => {
    const names = await namesIn(scratch, patch);
    await scratch.reset(await headOf(worktree));
    await scratch.take(names);
    const before = await scratch.entries(names);
    if (!(await merge(scratch, patch.diff))) {
      // A failed merge leaves its halves.
      await scratch.reset(undefined);
      await scratch.put(before, names);
      // Without the author's blobs git does not see that it is all there.
      if (!(await scratch.attempt(['apply', '--cached', '--reverse', '--check'], patch.diff)).ok) return undefined;
    }
    const after = await scratch.entries(names);
    return { paths: names.filter((path) => before.get(path) !== after.get(path)), before, after };
  });

async function merge(scratch: Scratch, diff: string): Promise<boolean> {
  const apply = (...args: string[]) => scratch.attempt(['apply', '--cached', '--whitespace=nowarn', ...args], diff);
  const { ok, err } = await apply('--3way');
  // Git before 2.32 merges only where it also writes.
  return ok || (/cached.*3way|3way.*cached/.test(err) && (await apply()).ok);
}

/** What git would change must be what the server says it changes, for that is what is held. */
async function namesIn(scratch: Scratch, { id, diff, paths }: PatchWithDiff): Promise<string[]> {
  const listed = (await scratch.git(['apply', '--numstat', '-z'], diff)).toString();
  const names = listed
    .split('\0')
    .filter(Boolean)
    .map((line) => line.split('\t').slice(2).join('\t'));
  const held = new Set(paths.map(nodeOf));
  const foreign = names.find((name) => !held.has(nodeOf(name)));
  if (foreign !== undefined || names.length === 0)
    throw new CliError(
      'failure',
      'PATCH_MISMATCH',
      `Patch ${shortId(id)} changes ${clean(foreign ?? 'nothing')}, which it does not name. Nothing was changed.`,
    );
  return names;
}

const nodeOf = (path: string): string | undefined => {
  const parsed = parseClaim({ path, kind: 'file' });
  return parsed.ok ? parsed.claim.node : undefined;
};

/** Writes what was prepared: false, and nothing is, when a file changed since. */
export const write = (worktree: Worktree, { paths, before, after }: Prepared): Promise<boolean> => swap(worktree, paths, before, after);

/** Takes back what was written, where nobody has changed it since. */
export async function unwrite(worktree: Worktree, { paths, before, after }: Prepared): Promise<void> {
  for (const path of paths) await swap(worktree, [path], after, before);
}

const swap = (worktree: Worktree, paths: string[], from: Entries, to: Entries): Promise<boolean> =>
  withScratch(worktree, async (scratch) => {
    await scratch.reset(await headOf(worktree));
    await scratch.take(paths);
    const now = await scratch.entries(paths);
    if (paths.some((path) => now.get(path) !== from.get(path))) return false;
    await scratch.put(to, paths);
    await scratch.checkOut(paths);
    return true;
  });
