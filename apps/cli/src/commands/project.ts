import { editPolicies, type Project, type ProjectPolicy, type ProjectWithMembers, undeclaredPolicies } from '@nexus/contract';
import { type Command, Option } from 'commander';
import { rmSync } from 'node:fs';
import { basename } from 'node:path';
import { type Context, findProject } from '../context.ts';
import { CliError } from '../errors.ts';
import { originUrl } from '../git.ts';
import { linkProject } from '../link.ts';
import { listOf } from '../recommended.ts';
import { clean, table } from '../text.ts';
import { examples, type Runner } from './command.ts';
import { slugOf } from './feature-edit.ts';
import { defined } from './feature-read.ts';
import { addPeopleCommands, memberTable } from './project-people.ts';
import { addTransferCommands } from './transfer.ts';

type CreateOptions = { slug?: string; repoUrl?: string; defaultBranch?: string; link: boolean };
type PolicyOptions = {
  edits?: ProjectPolicy['edits'];
  brief?: string;
  derived?: string;
  landing?: 'on' | 'off';
  undeclared?: ProjectPolicy['undeclared'];
};

export function addProjectCommands(program: Command, run: Runner): void {
  const project = examples(
    program.command('project').description('Projects: one for each git repository, and who is in it'),
    'nexus project create "Web shop"',
    'nexus project invite',
  );

  examples(
    project
      .command('create')
      .description('Create a project and link this repository to it; you become its lead')
      .argument('[name]', 'default: the name of this directory')
      .option('--slug <slug>', 'default: made from the name')
      .option('--repo-url <url>', 'default: the origin remote, without credentials')
      .option('--default-branch <branch>', 'default: main')
      .option('--no-link', 'leave .nexus.json alone'),
    'nexus project create "Web shop" --slug shop',
  ).action(
    run(async (context, name: string | undefined, options: CreateOptions) => {
      const created = await createProject(context, { ...options, name });
      const path = options.link ? await linkProject(context, created) : undefined;
      context.out.data(created, () => `Created project ${clean(created.slug)}${path ? `, linked in ${path}` : ''}`);
    }),
  );

  examples(project.command('list').description('Projects that you are in'), 'nexus project list').action(
    run(async ({ client, out }) => {
      const projects = await (await client()).listProjects();
      out.data(projects, () =>
        projects.length === 0
          ? ''
          : table(
              ['SLUG', 'NAME', 'ID'],
              projects.map(({ slug, name, id }) => [slug, name, id]),
              out.columns,
            ),
      );
      if (projects.length === 0) out.note('You are in no project. `nexus setup` makes or joins one.');
    }),
  );

  examples(
    project.command('info').description('A project and its members').argument('[project]', 'slug or id; default: the linked one'),
    'nexus project info',
  ).action(
    run(async (context, wanted: string | undefined) => {
      const { id: projectId, client } = await (wanted === undefined ? context : context.with({ project: wanted })).project();
      context.out.data(await client.getProject({ projectId }), describe);
    }),
  );

  examples(
    project.command('link').description('Link this repository to a project that you are in').argument('<project>', 'slug or id'),
    'nexus project link shop',
  ).action(
    run(async (context, wanted: string) => {
      const client = await context.client();
      const found = await findProject(client, wanted, client.options.server);
      const path = await linkProject(context, found);
      context.out.data(
        { path, server: client.options.server, projectId: found.id, slug: found.slug },
        () => `Linked ${path} to ${clean(found.slug)}`,
      );
    }),
  );

  examples(project.command('unlink').description('Remove this repository’s .nexus.json'), 'nexus project unlink').action(
    run(async ({ settings, out }) => {
      const { link } = await settings();
      if (link === undefined) throw new CliError('notFound', 'NOT_FOUND', 'This repository is not linked.');
      rmSync(link.path);
      out.data({ removed: link.path }, () => `Removed ${link.path}`);
    }),
  );

  examples(
    project
      .command('policy')
      .description('What guards do in this project; without options shows it')
      .addOption(
        new Option('--edits <policy>', 'editing a free path: claim it, deny it (strict), or only tell (warn)').choices([...editPolicies]),
      )
      .option('--brief <list>', 'manifests and lockfiles, held from edit to commit only: names with commas, recommended, or none')
      .option('--derived <list>', 'generated files, never denied: names with commas, recommended, or none')
      .addOption(
        new Option('--landing <state>', 'what is done keeps its paths until its commit is on the default branch').choices(['on', 'off']),
      )
      .addOption(
        new Option('--undeclared <policy>', '`feature done` after writes that nobody declared: tell them, or refuse').choices([
          ...undeclaredPolicies,
        ]),
      ),
    'nexus project policy --edits strict',
    'nexus project policy --brief recommended,docs/index.md --derived recommended',
  ).action(
    run(async (context, { edits, brief, derived, landing, undeclared }: PolicyOptions) => {
      const { id: projectId, client } = await context.project();
      const policy = defined({
        edits,
        brief: brief === undefined ? undefined : listOf('brief', brief),
        derived: derived === undefined ? undefined : listOf('derived', derived),
        landing: landing === undefined ? undefined : landing === 'on',
        undeclared,
      });
      const nothing = Object.keys(policy).length === 0;
      const found = nothing ? await client.getProject({ projectId }) : await client.updateProject({ projectId, body: { policy } });
      context.out.data(found.policy, describePolicy);
    }),
  );
  addPeopleCommands(project, run);
  addTransferCommands(project, run);
}

type NewProject = { name: string | undefined; slug?: string | undefined; repoUrl?: string | undefined; defaultBranch?: string | undefined };

export async function createProject(context: Context, { name, slug, repoUrl, defaultBranch }: NewProject): Promise<Project> {
  const worktree = await context.worktree();
  const place = worktree?.mainCheckout ?? worktree?.toplevel ?? context.cwd;
  const named = name ?? basename(place);
  const url = repoUrl ?? (await originUrl(place));
  return (await context.client()).createProject({
    body: {
      name: named,
      slug: slug ?? slugOf(named),
      ...(url === undefined ? {} : { repoUrl: url }),
      ...(defaultBranch === undefined ? {} : { defaultBranch }),
    },
  });
}

const describePolicy = ({ edits, brief, derived, landing, undeclared }: ProjectPolicy): string =>
  [
    `edits    ${{ claim: 'claim: a free path is claimed at its first edit', strict: 'strict: only claimed paths', warn: 'warn: a free path is only mentioned' }[edits]}`,
    `brief    ${brief.map(clean).join(', ') || 'none'}`,
    `derived  ${derived.map(clean).join(', ') || 'none'}`,
    `landing  ${landing ? 'on: what is done keeps its paths until its commit is on the default branch' : 'off'}`,
    `writes   ${{ tell: 'tell: done names what was written and never declared', refuse: 'refuse: done needs every write declared, or explained' }[undeclared]}`,
  ].join('\n');

function describe({ name, slug, id, repoUrl, defaultBranch, members }: ProjectWithMembers): string {
  const facts = [
    ['id', id],
    ['repo', repoUrl === null ? '-' : clean(repoUrl)],
    ['branch', clean(defaultBranch)],
  ];
  const lines = facts.map(([label = '', value = '']) => `  ${label.padEnd(8)} ${value}`);
  return [`${clean(slug)}: ${clean(name)}`, ...lines, '', memberTable(members)].join('\n');
}
