import { runGit } from './git.ts';

/** One piece of work: what a commit touched, and how long an agent takes for it, in minutes. */
export type Work = { slug: string; title: string; files: string[]; minutes: number };

/** A commit that touches more was no feature: a rename, a format of everything. */
const MOST_FILES = 30;

/**
 * The last commits of a repository as work to be done all at once: their files are the touches. Oldest first; when there are
 * too few, they come again. Ten minutes each and five more for each file, give or take a half.
 */
export async function workFrom(repository: string, count: number, random: () => number): Promise<Work[]> {
  const text = await runGit(repository, ['log', '--no-merges', '--no-renames', '--name-only', '--format=%x01%h %s']);
  const commits = text
    .split('\u0001')
    .slice(1)
    .map((block) => {
      const [subject = '', ...lines] = block.trim().split('\n');
      return { subject, files: lines.filter((line) => line !== '') };
    })
    .filter(({ files }) => files.length > 0 && files.length <= MOST_FILES)
    .slice(0, count)
    .reverse();
  if (commits.length === 0) throw new TypeError(`${repository} has no commits to learn from.`);
  return Array.from({ length: count }, (_, number) => {
    const { subject, files } = commits[number % commits.length] ?? { subject: '', files: [] };
    const minutes = (10 + 5 * files.length) * (0.5 + random());
    return { slug: `work-${String(number).padStart(3, '0')}`, title: subject.slice(0, 120), files, minutes };
  });
}

/** How often each file is touched; the most touched first. */
export function hottest(all: Work[]): Array<{ file: string; times: number }> {
  const times = Map.groupBy(
    all.flatMap(({ files }) => files),
    (file) => file,
  );
  return [...times].map(([file, each]) => ({ file, times: each.length })).sort((a, b) => b.times - a.times);
}
