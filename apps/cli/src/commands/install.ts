import { type Command, Option } from 'commander';
import { installGit } from '../guard/install.ts';
import { diffOf, isChange } from '../install/changes.ts';
import { findSources, install, planInstall, planUninstall, type Scope, scopes, uninstall } from '../install/claude.ts';
import type { Context } from '../context.ts';
import { git } from '../git.ts';
import { examples, type Runner } from './command.ts';

type Options = { scope?: Scope; dryRun?: boolean; print?: boolean };

const scopeOption = (description: string): Option => new Option('--scope <scope>', description).choices([...scopes]);
const dryRun = ['--dry-run', 'change nothing; print the difference'] as const;

export function addInstallCommands(program: Command, run: Runner): void {
  const into = examples(
    program.command('install').description('Let an agent, or git, ask Nexus by itself'),
    'nexus install claude',
    'nexus install git',
  );
  examples(
    into
      .command('claude')
      .description('Claude Code: hooks that guard edits, tell of others and keep the session')
      .addOption(scopeOption('project: .claude/settings.json, for all; local: only here; user: every repository').default('project'))
      .option(...dryRun)
      .option('--print', 'change nothing; print the whole file as it would be'),
    'nexus install claude',
    'nexus install claude --scope user --dry-run',
  ).action(run(async (context, options: Options) => intoClaude(context, options)));
  examples(
    into
      .command('git')
      .description('Git hooks that refuse commits and pushes of paths that others hold; hooks that are there go on running')
      .option(...dryRun),
    'nexus install git',
    'nexus install git --dry-run',
  ).action(run(async (context, options: Options) => installGit(context, { ...options, remove: false })));

  const from = examples(
    program.command('uninstall').description('Take the hooks out again; nothing of Nexus stays'),
    'nexus uninstall claude',
  );
  examples(
    from
      .command('claude')
      .description('Claude Code’s settings; every scope unless one is named')
      .addOption(scopeOption('only this one'))
      .option(...dryRun),
    'nexus uninstall claude',
  ).action(run(async (context, options: Options) => outOfClaude(context, options)));
  examples(
    from
      .command('git')
      .description('The hooks of this repository')
      .option(...dryRun),
    'nexus uninstall git',
  ).action(run(async (context, options: Options) => installGit(context, { ...options, remove: true })));
}

async function intoClaude(context: Context, { scope = 'project', dryRun: dry = false, print = false }: Options): Promise<void> {
  const { out } = context;
  const change = await planInstall(context, scope);
  const changed = isChange(change);
  if (print) return out.data(change.after ?? '', (text) => text);
  if (!dry) install(change);
  out.data({ agent: 'claude', scope, path: change.path, changed, dryRun: dry, diff: diffOf([change]) }, ({ path, diff }) =>
    dry ? diff : changed ? `Hooks for Claude Code are in ${path}` : `Hooks for Claude Code were in ${path} already`,
  );
  await warnOfOthers(context, change.path);
  if (dry) return out.note(changed ? 'Nothing was changed.' : 'Nothing to change.');
  out.note(
    'Next: start Claude Code in this folder and confirm that you trust it; sessions that run now take the hooks over by themselves.',
  );
  if (scope === 'project') out.note(`Commit ${change.path}: whoever clones this repository needs \`nexus\` on PATH.`);
  if (scope === 'local' && (await git(context.cwd, 'check-ignore', '-q', change.path)) === undefined)
    out.note(`${change.path} names a path of this machine: keep it out of commits.`);
  out.note('`nexus doctor` tries the whole chain.');
}

/** Two sources run each event twice. What cannot be read is for `nexus doctor` to tell. */
async function warnOfOthers(context: Context, installed: string): Promise<void> {
  const { found } = await findSources(context).catch(() => ({ found: [] }));
  for (const { path, plugin } of found.filter((source) => source.path !== installed)) {
    const [who, remedy] =
      plugin === undefined
        ? [path, '`nexus uninstall claude` removes all; then install once.']
        : [`The plugin ${plugin}`, `Keep one: \`nexus uninstall claude\`, or \`claude plugin disable ${plugin}\`.`];
    context.out.warn(`${who} has hooks of Nexus as well, so each event runs twice. ${remedy}`);
  }
}

async function outOfClaude(context: Context, { scope, dryRun: dry = false }: Options): Promise<void> {
  const { out } = context;
  const planned = await Promise.all(scopes.filter((one) => scope === undefined || one === scope).map((one) => planUninstall(context, one)));
  const changes = planned.filter((change) => change !== undefined);
  if (!dry) for (const change of changes) uninstall(change);
  out.data({ agent: 'claude', paths: changes.map(({ path }) => path), dryRun: dry, diff: diffOf(changes) }, ({ diff }) =>
    dry ? diff : changes.map(({ path, after }) => (after === undefined ? `Removed ${path}` : `Took the hooks out of ${path}`)).join('\n'),
  );
  if (changes.length === 0) out.note('Claude Code has no hooks of Nexus here.');
}
