import { CliError } from '../errors.ts';
import type { Worktree } from '../git.ts';
import { cleanBlock } from '../text.ts';
import { plumbing } from '../wip/plumbing.ts';
import type { Made } from './make.ts';
import { withScratch } from './scratch.ts';

/**
 * Takes the change out of the worktree, once it is kept elsewhere. Only if that loses nothing: every file still is what the
 * patch makes of it, and nothing else of it is staged. Answers the path that was in the way, and then nothing was touched.
 */
export const restore = (worktree: Worktree, { base, paths, before, after }: Made): Promise<string | undefined> =>
  withScratch(worktree, async (scratch) => {
    const git = (...args: string[]) => plumbing(worktree.toplevel, ['--literal-pathspecs', ...args]);
    await scratch.reset(base);
    await scratch.take(paths);
    const now = await scratch.entries(paths);
    const changed = paths.find((path) => now.get(path) !== after.get(path));
    if (changed !== undefined) return changed;
    const listed = (await git('ls-files', '-s', '-z', '--', ...paths)).out.toString().split('\0');
    const staged = new Map(
      listed.map((line) => [line.slice(line.indexOf('\t') + 1), line.slice(0, line.indexOf('\t')).replace(/ 0$/, '')]),
    );
    const odd = paths.find((path) => staged.get(path) !== before.get(path) && staged.get(path) !== after.get(path));
    if (odd !== undefined) return odd;
    const unstage = base === undefined ? ['rm', '-q', '--cached', '--ignore-unmatch', '--'] : ['reset', '-q', base, '--'];
    const { ok, err } = await git(...unstage, ...paths);
    if (!ok) throw new CliError('failure', 'GIT_FAILED', `git: ${cleanBlock(err)}`);
    await scratch.put(before, paths);
    await scratch.checkOut(paths);
    return undefined;
  });
