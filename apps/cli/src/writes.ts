import { type Claim, MAX_WRITES } from '@nexus/contract';
import { overlaps, parseClaim } from '@nexus/paths';
import type { Base } from './active.ts';
import { type Checkout, headOf } from './finished.ts';
import { dirtyPaths } from './hook/dirty.ts';
import { asTyped } from './paths.ts';

export type Writes = { paths: string[]; more: boolean };

/** More commits than this since one pick are not looked at. */
const mostCommits = 500;
/** Far below what a server takes as a body. */
const mostBytes = 150_000;

export async function baseOf(checkout: Checkout, fence: number): Promise<Base> {
  const [commit, dirty] = await Promise.all([headOf(checkout), dirtyPaths(checkout.run, checkout.toplevel, checkout.ms)]);
  return { fence, ...(commit === undefined ? {} : { commit }), at: Math.floor(Date.now() / 1000), dirty: Object.fromEntries(dirty ?? []) };
}

/**
 * What was written here since `base`: uncommitted now, or in commits made in this worktree; both names of a rename.
 * Undefined where git is too slow, or there is too much to tell.
 */
export async function writesOf(checkout: Checkout, base: Base | undefined, held: Claim[]): Promise<Writes | undefined> {
  const { run, toplevel, ms } = checkout;
  const dirty = await dirtyPaths(run, toplevel, 2 * ms);
  if (dirty === undefined) return undefined;
  const uncommitted = [...dirty].filter(([path, state]) => base?.dirty[path] !== state).map(([path]) => path);
  const committed = base?.commit === undefined ? [] : await namesIn(checkout, await madeHere(checkout, base.commit, base.at));
  return committed && fitting([...new Set([...uncommitted, ...committed])].map(asTyped), held);
}

/**
 * Commits of HEAD that the pick did not have. Those that a pull, a merge or a checkout brought are others' work: HEAD's
 * reflog, which each worktree has for itself, knows which were made here. Where git keeps none, what no remote has.
 */
async function madeHere({ run, toplevel, ms }: Checkout, commit: string, at: number): Promise<string[]> {
  const list = (...more: string[]) =>
    run(toplevel, ['rev-list', '--no-merges', `--max-count=${mostCommits}`, 'HEAD', `^${commit}`, ...more], ms);
  const log = await run(toplevel, ['log', '-g', '-n', '5000', '--date=unix', '--format=%H %gd %gs', 'HEAD', '--'], ms);
  if (!log?.trim()) return linesOf(await list('--not', '--remotes'));
  const made = new Set(
    linesOf(log).flatMap((line) => {
      const [, sha, seconds, what = ''] = /^(\S+) \S*@\{(\d+)\} (.*)$/.exec(line) ?? [];
      return sha !== undefined && Number(seconds) >= at && makesCommit.test(what) ? [sha] : [];
    }),
  );
  return made.size === 0 ? [] : linesOf(await list()).filter((sha) => made.has(sha));
}

/** `rebase (start)` and `(finish)` stand where others' work may. */
const makesCommit = /^(?:commit\b|cherry-pick|revert|am\b|[^:]*\((?:pick|continue|squash|fixup|reword|edit)\))/;

const linesOf = (text: string | undefined): string[] => (text ?? '').split('\n').filter((line) => line !== '');

async function namesIn({ run, toplevel, ms }: Checkout, commits: string[]): Promise<string[] | undefined> {
  if (commits.length === 0) return [];
  const output = await run(
    toplevel,
    ['log', '--no-walk', '--format=', '--name-only', '--no-renames', '--no-ext-diff', '-z', ...commits],
    2 * ms,
  );
  return output?.split('\0').filter((name) => name !== '');
}

/** What is not held comes first: where there are too many to tell, only those that are certainly declared stay out. */
function fitting(paths: string[], held: Claim[]): Writes {
  const claims = held.flatMap(({ filePath, kind, mode }) => {
    const parsed = parseClaim({ path: filePath, kind });
    return parsed.ok && mode === 'write' ? [parsed.claim] : [];
  });
  const isHeld = (path: string): boolean => {
    const parsed = parseClaim({ path, kind: 'file' });
    return parsed.ok && claims.some((claim) => overlaps(claim, parsed.claim));
  };
  const known = new Set(paths.filter(isHeld));
  const fit: string[] = [];
  let left = mostBytes;
  for (const path of [...paths.filter((one) => !known.has(one)), ...known]) {
    left -= Buffer.byteLength(JSON.stringify(path)) + 1;
    if (left < 0 || fit.length === MAX_WRITES) break;
    fit.push(path);
  }
  return { paths: fit, more: fit.length < paths.length };
}
