import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startServer, type TestServer } from '../../server/test/harness.ts';
import { findDirs } from '../src/config.ts';
import { createCredentials } from '../src/credentials.ts';
import { callKeeper } from '../src/keeper/call.ts';
import { keeperFiles } from '../src/keeper/protocol.ts';
import { homeEnv } from '../src/testing/io.ts';
import { git, makeFolder, makeRepository } from './lib/hook-world.ts';

const main = join(import.meta.dirname, '../src/main.ts');
let server: TestServer;
let lead: Client;
let projectId: string;
let folder: { dir: string; remove: () => void };
let repo: string;
let env: Record<string, string>;

beforeAll(async () => {
  server = await startServer('embedded', { REGISTRATION: 'open' });
});
afterAll(() => server.stop());
beforeEach(async () => {
  ({ projectId, lead } = await server.project());
  folder = makeFolder();
  repo = join(folder.dir, 'repo');
  makeRepository(repo, { server: server.url, projectId, slug: 'p' });
  env = { ...homeEnv(join(folder.dir, 'home')), CLAUDE_PID: String(process.pid) };
  createCredentials(findDirs(env)).set(server.url, { apiKey: lead.options.apiKey ?? '' });
});
afterEach(async () => {
  await callKeeper(files().socket, { op: 'stop' });
  folder.remove();
});

const files = () => keeperFiles(findDirs(env).runtime);
const hook = async (input: string | object, args = ['hook', 'claude']) => {
  const began = performance.now();
  const stdin = new Blob([typeof input === 'string' ? input : JSON.stringify(input)]);
  const child = Bun.spawn([process.execPath, main, ...args], { env, stdin, stdout: 'pipe', stderr: 'pipe' });
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  return { out, err, code, ms: performance.now() - began };
};
/** What a hook's process costs on this machine now: a busy one takes a second to start it. */
const startMs = async (): Promise<number> => (await hook('')).ms;
const quiet = { out: '', err: '', code: 0, ms: expect.any(Number) };
const edit = (path: string, session = 's1', cwd = repo) => ({
  session_id: session,
  cwd,
  hook_event_name: 'PreToolUse',
  tool_name: 'Edit',
  tool_input: { file_path: join(cwd, path) },
});
const kept = async (): Promise<number[]> => ((await callKeeper(files().socket, { op: 'status' }))?.sessions ?? []).map(({ pid }) => pid);

test('whatever comes in, a hook exits with 0 and says nothing', async () => {
  const inputs = [
    '',
    'x',
    '{',
    '[]',
    'null',
    '{"hook_event_name":"PreToolUse"}',
    '{"hook_event_name":"Stop","session_id":1,"cwd":{}}',
    '\u0000\ufffd',
    edit('src/a.ts', 's', '/nowhere'),
  ];
  for (const input of inputs) expect(await hook(input)).toEqual(quiet);
  expect(await hook(edit('src/a.ts'), ['hook'])).toEqual(quiet);
  expect(await hook(edit('src/a.ts'), ['hook', 'nobody', '--strange'])).toEqual(quiet);
});

test('in a repository without Nexus no keeper is started', async () => {
  const plain = join(folder.dir, 'plain');
  makeRepository(plain, {});
  git(plain, 'rm', '-q', '.nexus.json');
  expect(await hook(edit('src/a.ts', 's', plain))).toEqual(quiet);
  expect(existsSync(files().hookSocket)).toBe(false);
});

test('the first event is answered without a keeper and starts one, which keeps the session of the agent’s process', async () => {
  expect(await hook(edit('src/a.ts'))).toEqual(quiet);
  expect((await lead.listClaims({ projectId })).map(({ filePath }) => filePath)).toEqual(['src/a.ts']);
  for (let n = 0; n < 200 && !existsSync(files().hookSocket); n += 1) await Bun.sleep(50);
  const { out, code } = await hook(edit('src/a.ts', 's2'));
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ hookSpecificOutput: { hookEventName: 'PreToolUse', permissionDecision: 'deny' } });
  expect(await hook(edit('src/b.ts'))).toEqual(quiet);
  expect(await kept()).toEqual([process.pid, process.pid]);
  expect((await lead.activeSessions({ projectId })).map(({ session }) => session.keeper)).toEqual([true, true]);
});

test('the start of a conversation is kept from its first second, and its end frees everything', async () => {
  const started = await hook({ session_id: 's1', cwd: repo, hook_event_name: 'SessionStart', source: 'startup' });
  expect(started.out).toContain('additionalContext');
  expect(await kept()).toEqual([process.pid]);
  await hook(edit('src/a.ts'));
  expect(await hook({ session_id: 's1', cwd: repo, hook_event_name: 'SessionEnd', reason: 'other' })).toEqual(quiet);
  expect(await lead.listClaims({ projectId })).toEqual([]);
  expect(await kept()).toEqual([]);
});

test('a keeper that hangs lets edits through in time, and denies them in a strict project', async () => {
  await lead.updateProject({ projectId, body: { policy: { edits: 'strict' } } });
  await hook({ session_id: 's1', cwd: repo, hook_event_name: 'SessionStart', source: 'startup' });
  const pid = (await callKeeper(files().socket, { op: 'status' }))?.pid ?? 0;
  expect(pid).toBeGreaterThan(0);
  process.kill(pid, 'SIGSTOP');
  try {
    const { out, code, ms } = await hook(edit('src/a.ts'));
    expect(code).toBe(0);
    expect(out).toContain('"permissionDecision":"deny"');
    expect(ms).toBeLessThan(2500 + 2 * (await startMs()));
    const prompt = await hook({ session_id: 's1', cwd: repo, hook_event_name: 'SessionEnd', reason: 'other' });
    expect(prompt.ms).toBeLessThan(1300 + 2 * (await startMs()));
  } finally {
    process.kill(pid, 'SIGCONT');
  }
});

test('a server that takes a connection and says nothing costs an edit less than two and a half seconds', async () => {
  const silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => {} } });
  const url = `http://127.0.0.1:${silent.port}`;
  env = { ...env, NEXUS_SERVER_URL: url, NEXUS_TOKEN: 'nxp_x', NEXUS_PROJECT: projectId, NEXUS_NO_KEEPER: '1' };
  try {
    const { out, code, ms } = await hook(edit('src/a.ts'));
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({ systemMessage: expect.stringContaining(url) });
    expect(ms).toBeLessThan(2100 + 2 * (await startMs()));
    expect((await hook(edit('src/a.ts'))).out).toBe('');
  } finally {
    silent.stop(true);
  }
});
