import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readyFeature, startServer, terminal, type TestServer } from '../../apps/server/test/harness.ts';
import type { Client } from '../../packages/client/src/index.ts';
import { type Desk, makeDesk } from './claude.ts';
import { type Model, script, startModel, type Step } from './model.ts';

// Ten minutes against a lease of 90 s and a grace of 15 s, on a scale of 1 to 45.
const scaled = { LEASE_TTL_SECONDS: '2', GRACE_SECONDS: '1' };
const silentSeconds = 14;

let server: TestServer;
let model: Model;
let desk: Desk;
let lead: Client;
let projectId: string;
let bob: Client & { sessionId: string };

beforeAll(async () => {
  model = startModel();
  server = await startServer('embedded', { REGISTRATION: 'open', ...scaled });
  ({ projectId, lead } = await server.project());
  const other = await server.engineer('Bob');
  await lead.addMember({ projectId, body: { engineerId: other.engineer.id } });
  bob = await terminal(other, projectId);
  desk = await makeDesk({ binary: process.env['CLAUDE_BINARY'] ?? '', model, server: server.url, projectId, engineer: lead });
  await desk.nexus('install', 'claude');
});
afterAll(async () => {
  await desk.leave();
  await server.stop();
  model.stop();
});

test('a tool call that is silent for ten minutes loses nothing', async () => {
  await readyFeature(lead, projectId, 'long', ['long.ts']);
  const bash = (command: string): Step => ({ tool: 'Bash', input: { command } });
  const working = desk.claude(
    script('long', bash('nexus feature pick long'), { gate: 'picked' }, bash(`sleep ${silentSeconds}`), bash('nexus feature done')),
  );
  await model.reached('picked');
  const before = await lead.getFeature({ projectId, slug: 'long' });
  model.open('picked');
  let ended = false;
  void working.ended.then(() => (ended = true));
  const seen = new Set<string>();
  for (let second = 0; second < silentSeconds - 2 && !ended; second += 1) {
    await Bun.sleep(1000);
    const { status, fence, heldBy } = await lead.getFeature({ projectId, slug: 'long' });
    const { paths } = await bob.checkClaims({ projectId, body: { paths: ['long.ts'] } });
    seen.add(`${status} ${fence} ${heldBy?.sessionId} ${paths[0]?.state}`);
  }
  expect([...seen]).toEqual([`active ${before.fence} ${before.heldBy?.sessionId} held`]);
  expect((await working.ended).code).toBe(0);
  expect(model.results('long').at(-1)).toMatchObject({ isError: false, text: expect.stringContaining('Done: long') as string });
});
