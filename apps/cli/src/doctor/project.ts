import { NexusUnreachable } from '@nexus/client';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from '../context.ts';
import { problemOf } from '../errors.ts';
import { version } from '../io.ts';
import { repositoryPaths } from '../paths.ts';
import { clean } from '../text.ts';
import { type Finding, note, ok, wrong } from './finding.ts';

export async function checkServer(context: Context): Promise<Finding> {
  const { server, serverFrom, link } = await context.settings();
  const from = serverFrom === 'repository' ? (link?.path ?? '.nexus.json') : serverFrom;
  try {
    const meta = await (await context.anyone()).with({ apiKey: undefined, retries: 0, timeout: 3000 }).meta();
    const says = `${server} (${from}), version ${clean(meta.version)}`;
    return meta.version === version ? ok('server', says) : note('server', `${says}; this command is ${version}`);
  } catch (error) {
    const { message } = problemOf(error);
    return error instanceof NexusUnreachable
      ? wrong('server', `${server} (${from}) does not answer`, 'start it (`nexus up` starts one here), or correct the address')
      : wrong('server', clean(message), 'correct the address in .nexus.json or NEXUS_SERVER_URL');
  }
}

/** Before anything reads the file, for reading it corrects the mode. */
export async function checkKeyFile(context: Context): Promise<Finding> {
  const { dirs } = await context.settings();
  const path = join(dirs.config, 'credentials.json');
  const mode = statSync(path, { throwIfNoEntry: false })?.mode;
  if (mode === undefined) return ok('key file', `none yet (${path})`);
  return (mode & 0o077) === 0 ? ok('key file', `${path}, yours alone`) : wrong('key file', `others can read ${path}`, `chmod 600 ${path}`);
}

export async function checkLogin(context: Context): Promise<Finding> {
  try {
    const { name, email } = await (await context.client()).with({ retries: 0, timeout: 3000 }).me();
    return ok('login', `${clean(name)} <${clean(email)}>${context.io.env['NEXUS_TOKEN'] ? ', by NEXUS_TOKEN' : ''}`);
  } catch (error) {
    return error instanceof NexusUnreachable
      ? note('login', 'not known without the server')
      : wrong('login', clean(problemOf(error).message), '`nexus login`');
  }
}

export async function checkLink(context: Context): Promise<Finding> {
  const { link, project } = await context.settings();
  if (project === undefined) return wrong('project', 'this repository is linked to none, so hooks do nothing here', '`nexus setup`');
  return ok('project', `${clean(link?.file.slug ?? project)}${link === undefined ? '' : `, by ${link.path}`}`);
}

export async function checkMembership(context: Context): Promise<Finding> {
  try {
    const { id: projectId, client: patient } = await context.project();
    const client = patient.with({ retries: 0, timeout: 3000 });
    const [me, { members, policy }] = await Promise.all([client.me(), client.getProject({ projectId })]);
    const role = members.find(({ engineerId }) => engineerId === me.id)?.role ?? 'no member';
    const says = `${role}; edits: ${policy.edits}`;
    return role === 'readonly'
      ? note('membership', `${says}. You can look, not claim`, 'a lead changes your role')
      : ok('membership', says);
  } catch (error) {
    return error instanceof NexusUnreachable
      ? note('membership', 'not known without the server')
      : wrong('membership', clean(problemOf(error).message), 'ask a lead for `nexus project add-member`');
  }
}

export async function checkWorktree(context: Context): Promise<Finding> {
  const worktree = await context.worktree();
  if (worktree === undefined) return wrong('worktree', `${context.cwd} is in no git repository`, 'go into one');
  const [name] = await repositoryPaths([join(worktree.toplevel, 'a', 'b')], context.cwd);
  const linked = worktree.mainCheckout === undefined ? '' : `, linked to ${worktree.mainCheckout}`;
  return name === 'a/b'
    ? ok('worktree', `${worktree.toplevel} on ${worktree.branch ?? 'no branch'}${linked}`)
    : wrong('worktree', `${worktree.toplevel}/a/b is named ${name ?? 'nothing'}`, 'report this with `git rev-parse --show-toplevel`');
}
