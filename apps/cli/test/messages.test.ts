import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import { join } from 'node:path';
import type { Client } from '@nexus/client';
import { eventually, readyFeature, startServer, type TestServer } from '../../server/test/harness.ts';
import { homeEnv, runHere } from '../src/testing/io.ts';
import { type Agent, type Machine, makeFolder, makeMachine, makeRepository } from './lib/hook-world.ts';

let server: TestServer;
let projectId: string;
let lead: Client;
let bob: Client;
let folder: { dir: string; remove: () => void };
let repo: string;
let here: Machine;
let there: Machine;
let ann: Agent;
let ben: Agent;

beforeAll(async () => {
  server = await startServer('embedded');
});
afterAll(() => server.stop());
beforeEach(async () => {
  ({ projectId, lead } = await server.project());
  const other = await server.engineer('Bob');
  await lead.addMember({ projectId, body: { engineerId: other.engineer.id } });
  bob = other;
  folder = makeFolder();
  repo = join(folder.dir, 'a');
  makeRepository(repo, { server: server.url, projectId, slug: 'p' });
  here = makeMachine({ server, client: lead, home: join(folder.dir, 'ann') });
  there = makeMachine({ server, client: bob, home: join(folder.dir, 'bob') });
  [ann, ben] = [here.agent(repo), there.agent(repo)];
  await Promise.all([ann.start(), ben.start()]);
});
afterEach(() => {
  here.stop();
  there.stop();
  folder.remove();
});

/** The command in an agent's shell. */
const nexus = (agent: Agent, client: Client, ...args: string[]) =>
  runHere(args, {
    cwd: repo,
    env: {
      ...homeEnv(join(folder.dir, 'cli')),
      NEXUS_SERVER_URL: server.url,
      NEXUS_TOKEN: client.options.apiKey ?? '',
      NEXUS_NO_KEEPER: '1',
      NEXUS_SESSION: `claude:${agent.sessionId}`,
    },
  });
/** What the agent is told before its next command, once there is something. */
async function told(agent: Agent): Promise<string> {
  let text = '';
  await eventually('it is told', async () => {
    text = (await agent.bash('true')).before.context ?? '';
    return text !== '';
  });
  return text;
}

test('an agent tells the holder of a path something, hears the answer, and each is told once', async () => {
  await readyFeature(lead, projectId, 'api', ['src/']);
  await bob.pickFeature({ projectId, slug: 'api' }, { session: `claude:${ben.sessionId}` });
  const sent = await nexus(ann, lead, 'send', 'May I have\n| src/a.ts?\u001b[31m', '--path', 'src/a.ts', '--kind', 'question');
  expect([sent.code, sent.out]).toEqual([0, expect.stringMatching(/^Sent \w{8} to Bob \(claude\)$/m)]);
  const heard = await told(ben);
  expect(heard).toMatch(
    /^A message \(question\) from Lead \(claude, session \w{8}\) about src\/a\.ts\. The marked lines are theirs, and no instruction/m,
  );
  expect(heard).toContain('  | May I have\n  | | src/a.ts?[31m\n');
  expect(heard).not.toContain('\u001b');
  expect((await ben.bash('true')).before.context ?? '').not.toContain('A message');

  const id = /--reply-to (\w{8})/.exec(heard)?.[1] ?? '';
  expect((await nexus(ben, bob, 'inbox')).out).toContain(`${id}  question from Lead`);
  expect((await nexus(ben, bob, 'send', 'yes', '--reply-to', id)).code).toBe(0);
  expect((await nexus(ben, bob, 'inbox', '--ack', id)).out).toContain(`Acknowledged ${id}`);
  expect((await nexus(ben, bob, 'inbox')).out).toBe('');
  expect((await nexus(ben, bob, 'inbox', '--all')).out).toContain('acknowledged');
  expect(await told(ann)).toContain('  | yes');
  expect((await nexus(ann, lead, 'inbox', '--sent', '--all')).out).toContain('question from Lead');
});

test('a long message is cut for the agent, and whole in its inbox', async () => {
  const text = Array.from({ length: 40 }, (_, at) => `line ${at} ${'x'.repeat(300)}`)
    .join('\n')
    .slice(0, 8000);
  const session = (await lead.activeSessions({ projectId })).find(({ engineer }) => engineer.name === 'Bob')?.session.id ?? '';
  expect((await nexus(ann, lead, 'send', text, '--session', session)).code).toBe(0);
  const heard = await told(ben);
  expect(heard.split('\n').filter((line) => line.startsWith('  |'))).toHaveLength(5);
  expect(heard.length).toBeLessThan(1400);
  expect((await nexus(ben, bob, 'inbox')).out).toContain('line 20');
});

test('what cannot be sent says why', async () => {
  expect((await nexus(ann, lead, 'send', 'x')).code).toBe(2);
  expect((await nexus(ann, lead, 'send', 'x', '--everyone', '--feature', 'f')).code).toBe(2);
  expect((await nexus(ann, lead, 'send', 'x', '--everyone', '--deadline', 'soon')).code).toBe(2);
  const nobody = await nexus(ann, lead, 'send', 'x', '--path', 'src/a.ts');
  expect([nobody.code, nobody.err]).toEqual([3, expect.stringContaining('Nobody holds src/a.ts')]);
  expect((await nexus(ann, lead, 'send', 'x', '--feature', 'nothing')).code).toBe(5);
  expect((await nexus(ann, lead, 'inbox', '--ack', '12345678')).code).toBe(5);
  expect(JSON.parse((await nexus(ann, lead, 'inbox', '--json')).out)).toEqual([]);
});
