import type { Conflict, ProjectPolicy, Verification } from '@nexus/contract';
import { type Guard, isOnList } from './guard.ts';
import { namesOf, type RunGit } from './repository.ts';
import { fenceTrailer } from './trailers.ts';

export type Commit = { sha: string; subject: string; fences: number[]; paths: string[] };

type FenceState = NonNullable<Verification['fence']>;
export type CommitProblem = { commit: Commit; stale: FenceState | null; theirs: Conflict[] };
export type CommitCheck = { ours: string[]; theirs: Conflict[]; unclaimed: string[]; problems: CommitProblem[] };

/** Bytes that no subject holds: they keep git's fields and the names after them apart. */
const format = `%x01%H%x02%s%x02%(trailers:key=${fenceTrailer},valueonly,separator=%x2C)%x02`;

/** The commits of a range with the paths that each changed; of a merge only what differs from all its parents. */
export async function readCommits(git: RunGit, range: string[], toName: (path: string) => string): Promise<Commit[]> {
  const output = await git(
    ['log', '-z', '-c', '--name-only', '--no-renames', '--no-ext-diff', `--format=${format}`, '--stdin'],
    `${range.join('\n')}\n`,
  );
  return output
    .split('\u0001')
    .slice(1)
    .map((record) => {
      const [sha = '', subject = '', fences = '', names = ''] = record.split('\u0002');
      return {
        sha,
        subject,
        fences: fences
          .split(',')
          .map(Number)
          .filter((fence) => Number.isSafeInteger(fence) && fence > 0),
        paths: namesOf(names.replace(/^\0*\n*/, '')).map(toName),
      };
    });
}

/**
 * A commit made under a fence was made by who held the paths then. So under an open fence only other holds stand in the
 * way, and under a released one nothing does; under a stale one all, until its feature is this session's again.
 */
export async function checkCommits(guard: Guard, commits: Commit[]): Promise<CommitCheck> {
  const policy = await guard.policy();
  const states = await fenceStates(guard, commits);
  const all = await guard.verify([...new Set(commits.flatMap(({ paths }) => paths))].filter((path) => isGuarded(path, policy)));
  const ours = new Set(all.ours);
  // What is held until this very commit lands must not keep it from landing.
  const lands = new Set(commits.map(({ sha }) => sha));
  const problems = commits.flatMap((commit): CommitProblem[] => {
    const theirs = all.theirs.filter(({ filePath }) => commit.paths.includes(filePath));
    const known = commit.fences.flatMap((fence) => states.get(fence) ?? []);
    const stale = known.find(({ state }) => state === 'stale') ?? null;
    const regained = theirs.length === 0 && commit.paths.some((path) => ours.has(path));
    if (stale !== null && !regained) return [{ commit, stale, theirs }];
    if (known.some(({ state }) => state === 'released')) return [];
    const foreign = theirs.filter(
      ({ claimedBy }) => !commit.fences.includes(claimedBy.fence) && !lands.has(claimedBy.landing?.commit ?? ''),
    );
    return foreign.length > 0 ? [{ commit, stale: null, theirs: foreign }] : [];
  });
  const inWay = distinct(problems.flatMap(({ theirs }) => theirs));
  return { ours: all.ours, theirs: inWay, unclaimed: all.unclaimed, problems };
}

/** `brief` paths are given back at every commit, so who has them now says nothing; `derived` ones belong to nobody. */
const isGuarded = (path: string, { brief, derived }: ProjectPolicy): boolean => !isOnList(path, brief) && !isOnList(path, derived);

async function fenceStates(guard: Guard, commits: Commit[]): Promise<Map<number, FenceState>> {
  const states = new Map<number, FenceState>();
  for (const { fences, paths } of commits) {
    for (const fence of fences.filter((one) => !states.has(one))) {
      const { fence: state } = await guard.verify(paths.slice(0, 1), fence);
      if (state !== null) states.set(fence, state);
    }
  }
  return states;
}

const distinct = (conflicts: Conflict[]): Conflict[] => [
  ...new Map(conflicts.map((conflict) => [`${conflict.claimedBy.fence} ${conflict.filePath}`, conflict])).values(),
];
