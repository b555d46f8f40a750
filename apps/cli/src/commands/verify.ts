import { type Command, Option } from 'commander';
import { describeConflicts } from '../conflicts.ts';
import type { Context } from '../context.ts';
import { exitCodes, usage } from '../errors.ts';
import { checkCommits, type CommitCheck, readCommits } from '../guard/commits.ts';
import { type Guard, isOnList, openGuard } from '../guard/guard.ts';
import { describeProblem } from '../guard/pre-push.ts';
import { changedPaths, createRunGit, stagedPaths, toNexusPaths } from '../guard/repository.ts';
import { settleAllLanded } from '../landing.ts';
import { repositoryPaths } from '../paths.ts';
import { clean } from '../text.ts';
import { examples, type Runner } from './command.ts';

type Options = { base?: string; staged?: boolean };

export function addVerifyCommand(program: Command, run: Runner): void {
  examples(
    program
      .command('verify')
      .description('Whose are the changed paths: ours, theirs, unclaimed? For git and CI; exit code 3 when somebody else holds one')
      .argument('[path...]', 'default: everything that differs from the last commit')
      .addOption(new Option('--base <ref>', 'the commits since this one, and the fences they were made under').conflicts('staged'))
      .option('--staged', 'what the next commit would change'),
    'nexus verify --base origin/main',
    'nexus verify --staged --json',
  ).action(
    run(async (context, paths: string[], options: Options) => {
      const guard = await openGuard(context);
      if (paths.length > 0 && (options.base !== undefined || options.staged)) throw usage('Give paths, --base or --staged, not several.');
      if (options.base !== undefined) await settleAllLanded(context);
      const { problems, ...check } = await verify(context, guard, paths, options);
      const stale = problems.flatMap(({ commit, stale: fence }) => (fence === null ? [] : [{ commit: commit.sha, ...fence }]));
      context.out.data({ ...check, stale }, () => describe(check, problems));
      if (check.theirs.length > 0 || stale.length > 0) context.exitWith(exitCodes.conflict);
    }),
  );
}

async function verify(context: Context, guard: Guard, typed: string[], { base, staged }: Options): Promise<CommitCheck> {
  if (typed.length > 0) return { ...(await guard.verify(await repositoryPaths(typed, context.cwd))), problems: [] };
  const git = createRunGit(context);
  const toName = await toNexusPaths(context, git);
  if (base !== undefined) return checkCommits(guard, await readCommits(git, [`${base}..HEAD`], toName));
  const { derived } = await guard.policy();
  const changed = (await (staged ? stagedPaths(git) : changedPaths(git))).map(toName);
  return { ...(await guard.verify(changed.filter((path) => !isOnList(path, derived)))), problems: [] };
}

function describe({ ours, theirs, unclaimed }: Omit<CommitCheck, 'problems'>, problems: CommitCheck['problems']): string {
  const section = (title: string, lines: string[]): string[] => (lines.length === 0 ? [] : [`${title} (${lines.length})`, ...lines]);
  const named = (paths: string[]): string[] => paths.map((path) => `  ${clean(path)}`);
  const commits = problems.map(describeProblem);
  const held = commits.length > 0 ? [] : theirs.map((conflict) => describeConflicts([conflict]));
  return [...section('ours', named(ours)), ...section('theirs', held), ...commits, ...section('unclaimed', named(unclaimed))].join('\n');
}
