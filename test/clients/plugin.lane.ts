import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { readyFeature, startServer, terminal, type TestServer } from '../../apps/server/test/harness.ts';
import type { Client } from '../../packages/client/src/index.ts';
import { type Desk, makeDesk } from './claude.ts';
import { type Model, script, startModel, type Step } from './model.ts';

const root = join(import.meta.dirname, '../..');
let server: TestServer;
let model: Model;
let desk: Desk;
let lead: Client;
let projectId: string;
let bob: Client & { sessionId: string };

beforeAll(async () => {
  model = startModel();
  server = await startServer('embedded', { REGISTRATION: 'open' });
  ({ projectId, lead } = await server.project());
  const other = await server.engineer('Bob');
  await lead.addMember({ projectId, body: { engineerId: other.engineer.id } });
  bob = await terminal(other, projectId);
  desk = await makeDesk({ binary: process.env['CLAUDE_BINARY'] ?? '', model, server: server.url, projectId, engineer: lead });
});
afterAll(async () => {
  await desk.leave();
  await server.stop();
  model.stop();
});

const bash = (command: string): Step => ({ tool: 'Bash', input: { command } });
const run = async (prompt: string): Promise<void> => {
  const { code, out, err } = await desk.claude(prompt).ended;
  if (code !== 0) throw new Error(`Claude Code ended with ${code}:\n${out}\n${err}`);
};

test('the vendor’s validator passes plugin and marketplace', async () => {
  for (const path of ['plugins/nexus', '.']) {
    const { code, out } = await desk.manage('plugin', 'validate', '--strict', join(root, path));
    expect([path, code, out]).toEqual([path, 0, expect.stringContaining('Validation passed') as string]);
  }
});

test('installed from the marketplace, its hooks deny a foreign edit, and doctor knows them', async () => {
  expect((await desk.manage('plugin', 'marketplace', 'add', root)).code).toBe(0);
  expect((await desk.manage('plugin', 'install', 'nexus@nexus')).code).toBe(0);
  await bob.claim({ projectId, body: { paths: ['held.ts'] } });
  await run(
    script('held', { tool: 'Write', input: { file_path: 'held.ts', content: 'x' } }, bash('nexus claims mine; echo "I am $NEXUS_SESSION"')),
  );
  const [denied, mine] = model.results('held');
  expect(denied).toMatchObject({ isError: true, text: expect.stringContaining('held.ts is claimed by Bob') as string });
  expect(mine?.text).toMatch(/I am claude:[0-9a-f-]{36}/);
  const doctor = await desk.nexus('doctor');
  expect(doctor.out).toContain('every hook once, in the plugin nexus@nexus');
});

test('beside settings it is found doubled, and disabling it heals that', async () => {
  expect((await desk.nexus('install', 'claude', '--scope', 'local')).err).toContain('nexus@nexus');
  expect((await desk.nexus('doctor')).out).toContain('claude plugin disable nexus@nexus');
  expect((await desk.manage('plugin', 'disable', 'nexus@nexus')).code).toBe(0);
  expect((await desk.nexus('doctor')).out).toContain('every hook once');
  expect((await desk.manage('plugin', 'enable', 'nexus@nexus')).code).toBe(0);
  expect((await desk.nexus('uninstall', 'claude')).code).toBe(0);
});

test('its skills begin with what is so now, and act in the session of the conversation', async () => {
  await readyFeature(lead, projectId, 'auth', ['src/auth/']);
  await run(`/nexus:pick ${script('picked', bash('nexus feature pick auth'), bash('nexus feature done'))}`);
  expect(model.told('picked')).toContain('free    auth (');
  expect(model.results('picked')).toMatchObject([
    { isError: false, text: expect.stringContaining('Picked auth') as string },
    { isError: false, text: expect.stringContaining('Done: auth') as string },
  ]);
  for (const skill of ['status', 'done', 'resume']) await run(`/nexus:${skill} ${script(skill)}`);
  expect(model.told('resume')).toContain('held.ts');
  expect(model.told('done')).toContain('Uncommitted work');
});
