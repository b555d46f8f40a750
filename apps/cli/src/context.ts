import { type Client, createClient } from '@nexus/client';
import type { Project } from '@nexus/contract';
import { realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { removeExportsOf } from './active.ts';
import { readSettings, type Settings } from './config.ts';
import { createCredentials, type Credentials, findKey } from './credentials.ts';
import { CliError, usage } from './errors.ts';
import { findWorktree, type Worktree } from './git.ts';
import { findIdentity, type Identity } from './identity.ts';
import { type Io, version } from './io.ts';
import { machineId } from './machine.ts';
import { createOutput, type Output } from './output.ts';
import { createSessions, type Sessions } from './session.ts';
import { shortId } from './text.ts';

/** The options that every command has. */
export type GlobalOptions = {
  json?: boolean;
  quiet?: boolean;
  /** False after `--no-input`. */
  input?: boolean;
  yes?: boolean;
  /** False after `--no-color`. */
  color?: boolean;
  C?: string;
  project?: string;
  server?: string;
};

/** What a command works with. Everything is found when first asked for: `nexus --help` touches no file. */
export type Context = {
  io: Io;
  out: Output;
  cwd: string;
  /** May people be asked? */
  interactive: boolean;
  /** `--yes`: do not ask before something that cannot be undone. */
  assumeYes: boolean;
  worktree: () => Promise<Worktree | undefined>;
  settings: () => Promise<Settings>;
  credentials: () => Promise<Credentials>;
  /** Speaks for the logged-in engineer; throws when nobody is. */
  client: () => Promise<Client>;
  /** A client that may have no key, for registering. */
  anyone: () => Promise<Client>;
  project: () => Promise<{ id: string; client: Client }>;
  identity: () => Promise<Identity>;
  sessions: () => Promise<Sessions>;
  /** The same command with other global options: `setup` learns the server from an answer. */
  with: (changes: GlobalOptions) => Context;
  /** Exit code for a command that succeeded with an answer such as "held". */
  exitWith: (code: number) => void;
};

export function createContext(given: Io, options: GlobalOptions, exitWith: (code: number) => void): Context {
  const out = createOutput(given, options);
  const cwd = changedDirectory(given.cwd, options.C);
  const io = { ...given, cwd };
  const worktree = once(() => findWorktree(cwd));
  const settings = once(async () => readSettings({ flags: options, env: io.env, cwd, worktree: await worktree() }));
  const credentials = once(async () => createCredentials((await settings()).dirs));
  const anyone = once(async () => {
    const apiKey = findKey({ settings: await settings(), credentials: await credentials(), env: io.env });
    return createClient({ server: (await settings()).server, apiKey, userAgent: `nexus-cli/${version}`, fetch: interruptible(io.signal) });
  });
  const client = once(async () => {
    const made = await anyone();
    if (made.options.apiKey) return made;
    const { server } = made.options;
    throw new CliError(
      'auth',
      'UNAUTHORIZED',
      `Nobody is logged in at ${server}. Run \`nexus login\`, or \`nexus login --register --name <name> --email <email>\`.`,
    );
  });
  const project = once(async () => {
    const { project: wanted, server } = await settings();
    if (wanted === undefined) throw usage('No project: run `nexus setup` here, or name one with --project <slug> or NEXUS_PROJECT.');
    const made = await client();
    return { id: isId(wanted) ? wanted : (await findProject(made, wanted, server)).id, client: made };
  });
  const identity = once(async () => {
    const { dirs } = await settings();
    return findIdentity({ env: io.env, pid: io.pid, machine: () => machineId(dirs.state), place: (await worktree())?.toplevel ?? cwd });
  });
  const sessions = once(async () => {
    const { id, client: made } = await project();
    const here = await worktree();
    return createSessions({
      io,
      dirs: (await settings()).dirs,
      identity: await identity(),
      client: made,
      projectId: id,
      worktree: here,
      onReplaced: (before) => {
        out.note(`Session ${shortId(before)} is over, so its holds are gone; going on in a new session.`);
        if (here !== undefined) removeExportsOf(here, before);
      },
      onUnkept: () => out.note('No keeper beats for this session: it is lost 30 minutes after its last command.'),
    });
  });
  return {
    io,
    out,
    cwd,
    interactive: io.stdin.isTTY && io.stderr.isTTY && options.input !== false && options.json !== true,
    assumeYes: options.yes === true,
    worktree,
    settings,
    credentials,
    client,
    anyone,
    project,
    identity,
    sessions,
    with: (changes) => createContext(given, { ...options, ...changes }, exitWith),
    exitWith,
  };
}

export async function findProject(client: Client, wanted: string, server: string): Promise<Project> {
  const projects = await client.listProjects();
  const found = projects.find((project) => project.slug === wanted || project.id === wanted);
  if (found) return found;
  throw new CliError(
    'notFound',
    'NOT_FOUND',
    `You are in no project "${wanted}" at ${server}. \`nexus project list\` shows yours; a lead adds you with \`nexus project add-member\`.`,
  );
}

const isId = (text: string): boolean => /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text);

/** Physical, as git names it. */
function changedDirectory(cwd: string, to: string | undefined): string {
  const path = to === undefined ? cwd : resolve(cwd, to);
  try {
    if (statSync(path).isDirectory()) return realpathSync(path);
  } catch {
    // Said below.
  }
  throw usage(`${path}: there is no such directory.`);
}

/** Ctrl-C ends waiting calls at once. */
function interruptible(signal: AbortSignal): (request: Request) => Promise<Response> {
  return (request) => fetch(new Request(request, { signal: AbortSignal.any([request.signal, signal]) }));
}

export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
