import type { Context } from '../context.ts';
import { describeConflicts } from '../conflicts.ts';
import { clean } from '../text.ts';
import { checkCommits, type Commit, type CommitProblem, readCommits } from './commits.ts';
import type { Guard } from './guard.ts';
import { around } from './pre-commit.ts';
import { createRunGit, type RunGit, succeeds, toNexusPaths } from './repository.ts';

/** Why this push must not be; undefined when it may. `refs` is what git tells the hook on stdin. */
export async function refusePush(context: Context, guard: Guard, remote: string, refs: string): Promise<string | undefined> {
  const git = createRunGit(context);
  const commits = await pushedCommits(git, remote, refs, await toNexusPaths(context, git));
  if (commits.length === 0) return undefined;
  const { problems } = await checkCommits(guard, commits);
  return problems.length === 0 ? undefined : [...problems.map(describeProblem), around('push')].join('\n');
}

/** What the remote does not have yet, as far as this clone knows. */
async function pushedCommits(git: RunGit, remote: string, refs: string, toName: (path: string) => string): Promise<Commit[]> {
  const pushed: string[] = [];
  const known: string[] = [];
  for (const line of refs.split('\n')) {
    const [, local = '', , there = ''] = line.split(' ');
    if (/^0*$/.test(local)) continue;
    pushed.push(local);
    if (!/^0*$/.test(there) && (await succeeds(git, ['cat-file', '-e', `${there}^{commit}`]))) known.push(`^${there}`);
  }
  if (pushed.length === 0) return [];
  const tracked = (await git(['for-each-ref', '--format=%(objectname)', `refs/remotes/${remote}/`])).split('\n').filter(Boolean);
  return readCommits(git, [...pushed, ...known, ...new Set(tracked.map((sha) => `^${sha}`))], toName);
}

/** One block for a commit that stands in the way. */
export function describeProblem({ commit, stale, theirs }: CommitProblem): string {
  const name = `${commit.sha.slice(0, 10)} "${clean(commit.subject)}"`;
  if (stale === null) return `nexus: ${name} changes what somebody else holds:\n\n${describeConflicts(theirs)}\n`;
  const work = stale.featureSlug === null ? 'its claims' : clean(stale.featureSlug);
  const now =
    theirs.length > 0
      ? `Now:\n\n${describeConflicts(theirs)}\n`
      : `Nobody holds its paths now: ${stale.featureSlug === null ? 'claim them' : `\`nexus feature resume ${clean(stale.featureSlug)}\``}, look whether others changed them, and push again.`;
  return `nexus: ${name} was made under fence ${stale.fence}, which is stale: the session lost ${work} before this push. ${now}`;
}
