import { type Client, createClient } from '@nexus/client';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestServer } from '../../../server/test/harness.ts';
import { findDirs } from '../../src/config.ts';
import { createCredentials } from '../../src/credentials.ts';
import { parseClaude } from '../../src/hook/claude.ts';
import { type RunGit, runGit } from '../../src/hook/dirty.ts';
import type { Verdict } from '../../src/hook/event.ts';
import { createHookHandler, type HookHandler } from '../../src/hook/handle.ts';
import { createKeeper } from '../../src/keeper/keeper.ts';
import { createKeeping } from '../../src/keeper/keeping.ts';
import { machineId } from '../../src/machine.ts';
import { openRegistry } from '../../src/keeper/registry.ts';
import { createSurvey } from '../../src/keeper/survey.ts';
import { homeEnv } from '../../src/testing/io.ts';

/** One engineer's machine: a home with a login, a keeper and the hooks that it answers. */
export type Machine = {
  client: Client;
  /** `METHOD path` of every call that was made since the last look. */
  calls: () => string[];
  /** Cuts the network. */
  offline: (is: boolean) => void;
  clock: { ahead: number };
  agent: (cwd: string, sessionId?: string) => Agent;
  handle: HookHandler;
  /** Where this machine keeps its login, for whoever calls `handle` itself. */
  env: Record<string, string>;
  restartKeeper: () => void;
  stop: () => void;
};

export type Agent = {
  sessionId: string;
  send: (event: string, more?: Record<string, unknown>) => Promise<Verdict>;
  edit: (path: string, more?: Record<string, unknown>) => Promise<Verdict>;
  /** Runs the command between its two events when nothing denies it. */
  bash: (command: string, more?: Record<string, unknown>) => Promise<{ before: Verdict; after: Verdict }>;
  start: (source?: string, more?: Record<string, unknown>) => Promise<Verdict>;
};

export function makeFolder(): { dir: string; remove: () => void } {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'nxh-')));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export const git = (dir: string, ...args: string[]): string =>
  execFileSync('git', ['-C', dir, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });

export function write(dir: string, path: string, text = ''): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), text);
}

export function makeRepository(dir: string, link: object): void {
  mkdirSync(dir, { recursive: true });
  git(dir, 'init', '-q', '-b', 'main');
  write(dir, '.nexus.json', JSON.stringify(link));
  write(dir, '.gitignore', 'dist/\n');
  for (const path of ['src/a.ts', 'src/b.ts', 'src/c.ts', 'docs/x.md']) write(dir, path, `${path}\n`);
  git(dir, 'add', '-A');
  git(dir, 'commit', '-q', '-m', 'start');
}

type Needs = { server: TestServer; client: Client; home: string; run?: RunGit };

export function makeMachine({ server, client, home, run = runGit }: Needs): Machine {
  const env = homeEnv(home);
  createCredentials(findDirs(env)).set(server.url, { apiKey: client.options.apiKey ?? '' });
  const network = { calls: [] as string[], cut: false };
  const clock = { ahead: 0 };
  const clientFor = (at: { server: string; apiKey: string }, timeout: number): Client =>
    createClient({
      ...at,
      timeout,
      retries: 0,
      fetch: (request) => {
        network.calls.push(`${request.method} ${new URL(request.url).pathname.replace(/^\/api(?:\/projects\/[^/]+)?/, '')}`);
        return network.cut ? Promise.reject(new Error('cut')) : fetch(request);
      },
    });
  const build = () => {
    const registry = openRegistry(join(home, 'run', 'keeper.json'));
    const keeper = createKeeper({
      registry,
      clientFor: (at, ms) => createClient({ ...at, timeout: ms, retries: 0 }),
      log: () => {},
      beatSeconds: 0.5,
      survey: createSurvey({ run: runGit, everyMs: 300 }),
      checkMs: 2000,
      idleMs: 600_000,
      machine: machineId(findDirs(env).state),
    });
    const keeping = createKeeping({ registry, handle: keeper.handle });
    return { keeper, handle: createHookHandler({ clientFor, keeping, run, now: () => Date.now() + clock.ahead }) };
  };
  let built = build();
  const handle: HookHandler = (event, caller) => built.handle(event, caller);
  return {
    client,
    calls: () => network.calls.splice(0),
    offline: (is) => {
      network.cut = is;
    },
    clock,
    handle,
    env,
    agent: (cwd, sessionId = crypto.randomUUID()) => makeAgent({ handle, cwd, sessionId, env }),
    restartKeeper: () => {
      built.keeper.stop();
      built = build();
    },
    stop: () => built.keeper.stop(),
  };
}

type AgentNeeds = { handle: HookHandler; cwd: string; sessionId: string; env: Record<string, string> };

function makeAgent({ handle, cwd, sessionId, env }: AgentNeeds): Agent {
  const send: Agent['send'] = async (name, { env: more = {}, ...fields } = {}) => {
    const event = parseClaude(JSON.stringify({ session_id: sessionId, cwd, hook_event_name: name, ...fields }));
    if (event === undefined) throw new Error(`${name} is not understood.`);
    return handle(event, { pid: process.pid, env: { ...env, CLAUDE_PID: String(process.pid), ...(more as Record<string, string>) } });
  };
  return {
    sessionId,
    send,
    start: (source = 'startup', more = {}) => send('SessionStart', { source, ...more }),
    edit: (path, more = {}) =>
      send('PreToolUse', { tool_name: 'Edit', tool_input: { file_path: path.startsWith('/') ? path : join(cwd, path) }, ...more }),
    bash: async (command, more = {}) => {
      const tool = { tool_name: 'Bash', tool_input: { command }, ...more };
      const before = await send('PreToolUse', tool);
      if (before.deny !== undefined) return { before, after: {} };
      try {
        execFileSync('sh', ['-c', command], { cwd, stdio: 'ignore' });
      } catch {
        // A command may fail; the hooks come all the same.
      }
      return { before, after: await send('PostToolUse', tool) };
    },
  };
}

export const append = (dir: string, path: string, text = 'more\n'): void => appendFileSync(join(dir, path), text);
