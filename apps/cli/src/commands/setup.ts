import { NexusError } from '@nexus/client';
import type { Project } from '@nexus/contract';
import type { Command } from 'commander';
import { basename } from 'node:path';
import { type Engineer, logInWith, readToken, register } from '../account.ts';
import { type Context, findProject } from '../context.ts';
import { usage } from '../errors.ts';
import { git } from '../git.ts';
import { linkProject } from '../link.ts';
import { clean } from '../text.ts';
import { examples, type Runner } from './command.ts';
import { slugOf } from './feature-edit.ts';
import { createProject } from './project.ts';
import { ask, askSecret, choose } from './prompts.ts';

type SetupOptions = {
  register?: boolean;
  name?: string;
  email?: string;
  invite?: string;
  setupCode?: string;
  token?: string;
  projectName?: string;
  projectSlug?: string;
  join?: string;
};

export function addSetupCommand(program: Command, run: Runner): void {
  examples(
    program
      .command('setup')
      .description('Log in or register, and link this git repository to a project; asks for what the options leave open')
      .option('--register', 'make an account; needs --name and --email')
      .option('--name <name>')
      .option('--email <address>')
      .option('--invite <code>', 'an invitation to a project')
      .option('--setup-code <code>', 'printed by a new server that is open to a network')
      .option('--token <key>', 'an API key; - reads it from stdin')
      .option('--project-name <name>', 'create this project')
      .option('--project-slug <slug>', 'default: made from the name')
      .option('--join <slug>', 'link to this project that you are in'),
    'nexus setup',
    'nexus setup --register --name Ada --email ada@example.com --project-slug shop',
    'nexus setup --server https://nexus.example.com --token - --join shop < key.txt',
  ).action(
    run(async (given, options: SetupOptions) => {
      const context = await chooseServer(given);
      const { engineer, projectId } = await logIn(context, options);
      // A new context: the one before has looked for a key already.
      const loggedIn = context.with({});
      const project = await chooseProject(loggedIn, options, projectId);
      const path = await linkProject(loggedIn, project);
      const { server } = await loggedIn.settings();
      loggedIn.out.data(
        { server, engineer, project, path },
        () => `${clean(engineer.name)} at ${server}, project ${clean(project.slug)}, linked in ${path}`,
      );
      loggedIn.out.note('Next: commit .nexus.json, then `nexus feature create`.');
    }),
  );
}

/** Only people are asked; a script's server comes from flag, environment or configuration. */
async function chooseServer(context: Context): Promise<Context> {
  const { server, serverFrom } = await context.settings();
  if (!context.interactive || serverFrom === 'flag' || serverFrom === 'env') return context;
  return context.with({ server: await ask({ message: 'Nexus server', initial: server }) });
}

type LoggedIn = { engineer: Engineer; projectId: string | null };

async function logIn(context: Context, options: SetupOptions): Promise<LoggedIn> {
  const { register: wantsAccount, name, email, invite, setupCode, token } = options;
  if (token !== undefined) return invited(context, await logInWith(context, await readToken(context, token)), invite);
  const client = await context.anyone();
  if (client.options.apiKey !== undefined && !wantsAccount) {
    const { id, name: own, email: address } = await client.me();
    return invited(context, { id, name: own, email: address }, invite);
  }
  if (name !== undefined && email !== undefined) return register(context, { name, email, invite, setupCode });
  if (!context.interactive)
    throw usage(
      'Nobody is logged in. Give --register --name <name> --email <address> (and --invite <code>), or --token - with the key on stdin.',
    );
  const { server } = client.options;
  const how =
    wantsAccount || name !== undefined || email !== undefined
      ? 'register'
      : await choose(`An account at ${server}`, [
          { value: 'register', label: 'Make one' },
          { value: 'key', label: 'I have an API key' },
        ]);
  if (how === 'key') return invited(context, await logInWith(context, await askSecret('API key')), invite);
  return register(context, {
    name: name ?? (await ask({ message: 'Your name', initial: await git(context.cwd, 'config', 'user.name') })),
    email: email ?? (await ask({ message: 'Your email', initial: await git(context.cwd, 'config', 'user.email') })),
    invite,
    setupCode,
  });
}

async function invited(context: Context, engineer: Engineer, code: string | undefined): Promise<LoggedIn> {
  if (code === undefined) return { engineer, projectId: null };
  const { projectId } = await (await context.with({}).client()).acceptInvitation({ body: { code } });
  return { engineer, projectId };
}

async function chooseProject(context: Context, options: SetupOptions, invitedTo: string | null): Promise<Project> {
  const client = await context.client();
  const { server } = client.options;
  const { join, projectName, projectSlug } = options;
  if (join !== undefined) return findProject(client, join, server);
  if (projectName !== undefined || projectSlug !== undefined) return createOrFind(context, projectName ?? projectSlug ?? '', projectSlug);
  if (invitedTo !== null) return client.getProject({ projectId: invitedTo });
  const linked = (await context.settings()).project;
  const projects = await client.listProjects();
  const known = projects.find((project) => project.id === linked || project.slug === linked);
  if (known !== undefined) return known;
  if (!context.interactive)
    throw usage('Which project? Give --project-name <name> (and --project-slug <slug>) to create one, or --join <slug>.');
  const chosen = await choose('The project of this repository', [
    { value: '', label: 'Create one' },
    ...projects.map(({ id, slug, name }) => ({ value: id, label: clean(slug), hint: clean(name) })),
  ]);
  const existing = projects.find((project) => project.id === chosen);
  if (existing !== undefined) return existing;
  const worktree = await context.worktree();
  const name = await ask({ message: 'Its name', initial: basename(worktree?.toplevel ?? context.cwd) });
  return createProject(context, { name, slug: await ask({ message: 'Its slug', initial: slugOf(name) }) });
}

/** Setting up twice is the same as once. */
async function createOrFind(context: Context, name: string, slug: string | undefined): Promise<Project> {
  try {
    return await createProject(context, { name, slug });
  } catch (error) {
    if (!(error instanceof NexusError && error.code === 'ALREADY_EXISTS')) throw error;
    const client = await context.client();
    return findProject(client, slug ?? slugOf(name), client.options.server);
  }
}
