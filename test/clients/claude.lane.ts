import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import type { Client } from '../../packages/client/src/index.ts';
import { eventually, readyFeature, startServer, terminal, type TestServer } from '../../apps/server/test/harness.ts';
import { type Desk, makeDesk } from './claude.ts';
import { type Model, script, startModel, type Step } from './model.ts';
import { record } from './record.ts';

const binary = process.env['CLAUDE_BINARY'] ?? '';
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
  desk = await makeDesk({ binary, model, server: server.url, projectId, engineer: lead });
  await desk.nexus('install', 'claude');
});
afterAll(async () => {
  if (process.env['NEXUS_TEST_RECORD']) record(desk);
  await desk.leave();
  await server.stop();
  model.stop();
});

const write = (path: string, content = 'x') => ({ tool: 'Write', input: { file_path: path, content } });
const bash = (command: string): Step => ({ tool: 'Bash', input: { command } });
const holds: Step = bash('nexus claims mine');

async function run(prompt: string, args: string[] = []): Promise<void> {
  const { code, out, err } = await desk.claude(prompt, { args }).ended;
  if (code !== 0) throw new Error(`Claude Code ended with ${code}:\n${out}\n${err}`);
}

test('an edit of what somebody else holds is denied, and the reason reaches the model', async () => {
  await bob.claim({ projectId, body: { paths: ['held.ts'] } });
  desk.write('held.ts', 'theirs\n');
  await run(script('denied', write('held.ts')));
  const [denied] = model.results('denied');
  expect(denied).toMatchObject({ isError: true, text: expect.stringContaining('held.ts is claimed by Bob') as string });
  expect(desk.read('held.ts')).toBe('theirs\n');
});

test('the model is told at the start who it is and what others hold', async () => {
  await bob.claim({ projectId, body: { paths: ['told.ts'] } });
  await run(script('start', { tool: 'Bash', input: { command: 'echo "I am $NEXUS_SESSION"' } }));
  expect(model.told('start')).toContain('told.ts');
  expect(model.results('start')[0]?.text).toMatch(/I am claude:[0-9a-f-]{36}/);
});

test('a free path is claimed by its first edit, and an own one goes on without a word', async () => {
  await run(
    script(
      'free',
      write('free.ts', '1'),
      { tool: 'Edit', input: { file_path: join(desk.dir, 'free.ts'), old_string: '1', new_string: '2' } },
      holds,
    ),
  );
  expect(model.results('free').map(({ isError }) => isError)).toEqual([false, false, false]);
  expect(desk.read('free.ts')).toBe('2');
  expect(model.results('free')[2]?.text).toContain('free.ts');
});

test('two terminals of one engineer exclude each other', async () => {
  const first = desk.claude(script('first', write('shared.ts', 'first'), { gate: 'first' }));
  await model.reached('first');
  await run(script('second', write('shared.ts', 'second')));
  expect(model.results('second')).toMatchObject([{ isError: true, text: expect.stringContaining('shared.ts is claimed by') as string }]);
  model.open('first');
  await first.ended;
  expect(desk.read('shared.ts')).toBe('first');
});

test('two subagents of one session exclude each other', async () => {
  const agent = (name: string, ...steps: Step[]) => ({
    tool: 'Agent',
    input: { description: name, prompt: script(name, ...steps), subagent_type: 'general-purpose', run_in_background: false },
  });
  const whole = desk.claude(
    script('parent', {
      all: [agent('one', write('sub.ts', 'one'), { gate: 'one' }), agent('two', { gate: 'two' }, write('sub.ts', 'two'))],
    }),
  );
  await model.reached('one');
  model.open('two');
  await eventually('the second subagent has its answer', () => model.results('two').length > 0);
  model.open('one');
  expect((await whole.ended).code).toBe(0);
  expect(model.results('one')).toMatchObject([{ isError: false }]);
  expect(model.results('two')).toMatchObject([{ isError: true, text: expect.stringContaining('sub.ts is claimed by') as string }]);
  expect(desk.read('sub.ts')).toBe('one');
});

test('a terminal that is killed loses its paths within seconds', async () => {
  const killed = desk.claude(script('killed', write('killed.ts'), { gate: 'killed' }));
  await model.reached('killed');
  expect((await bob.checkClaims({ projectId, body: { paths: ['killed.ts'] } })).paths[0]?.state).toBe('held');
  const from = performance.now();
  killed.kill('SIGKILL');
  await eventually(
    'the path is free',
    async () => (await bob.checkClaims({ projectId, body: { paths: ['killed.ts'] } })).paths[0]?.state === 'free',
  );
  const ms = Math.round(performance.now() - from);
  // The keeper looks every five seconds, and a process that died has no grace.
  expect(ms).toBeLessThan(10_000);
  model.open('killed');
});

test('a conversation that goes on has its unfinished feature again', async () => {
  await readyFeature(lead, projectId, 'kept', ['kept.ts']);
  const sessionId = crypto.randomUUID();
  await run(script('begun', { tool: 'Bash', input: { command: 'nexus feature pick kept' } }, write('kept.ts')), [
    '--session-id',
    sessionId,
  ]);
  const parked = await lead.getFeature({ projectId, slug: 'kept' });
  expect(parked.heldBy).toMatchObject({ parked: true });
  const on = desk.claude(script('continued', { gate: 'continued' }, write('kept.ts', '2')), { args: ['--continue'] });
  await model.reached('continued');
  const again = await lead.getFeature({ projectId, slug: 'kept' });
  expect(again).toMatchObject({ status: 'active', heldBy: { parked: false } });
  expect(again.heldBy?.sessionId).not.toBe(parked.heldBy?.sessionId);
  model.open('continued');
  await on.ended;
  expect(model.results('continued').at(-1)).toMatchObject({ isError: false });
  expect(desk.read('kept.ts')).toBe('2');
});

test('what a command wrote before it failed is claimed too, and nothing of that is told', async () => {
  await run(script('failed', bash('eval "echo y > failed.ts"; exit 3'), bash('sleep 1; nexus claims mine')));
  const [failed, mine] = model.results('failed');
  expect(failed?.isError).toBe(true);
  expect(mine?.text).toContain('failed.ts');
  expect(model.told('failed')).not.toContain('PostToolUseFailure');
});

test('an agent that goes into a worktree of its own leaves there what it did not commit, parked', async () => {
  await readyFeature(lead, projectId, 'side', ['side.ts']);
  await run(
    script('side', bash('nexus feature pick side'), { tool: 'EnterWorktree', input: { name: 'side' } }, write('side.ts', 'x'), bash('pwd')),
  );
  expect(model.results('side').at(-1)?.text).toContain('.claude/worktrees/side');
  expect(await lead.getFeature({ projectId, slug: 'side' })).toMatchObject({ heldBy: { parked: true } });
});

test('a conversation that is made shorter, or moves, goes on in its session', async () => {
  desk.write('sub/x.ts', 'x');
  const sessionId = crypto.randomUUID();
  await run(script('moved', bash('cd sub'), write('moved.ts')), ['--session-id', sessionId]);
  await run('/compact', ['--resume', sessionId]);
  await run(script('after', bash('nexus claims mine')), ['--resume', sessionId]);
  expect(model.results('moved').map(({ isError }) => isError)).toEqual([false, false]);
});

test('a commit from the agent’s shell says under which feature it was made; one of a foreign path is refused', async () => {
  expect((await desk.nexus('install', 'git')).code).toBe(0);
  await readyFeature(lead, projectId, 'landed', ['landed.ts']);
  await bob.claim({ projectId, body: { paths: ['foreign.ts'] } });
  await run(
    script(
      'landed',
      bash('nexus feature pick landed'),
      write('landed.ts'),
      bash('git add landed.ts && git commit -q -m Landed && git log -1 --format=%B'),
      bash('git update-index --add --cacheinfo 100644,$(git hash-object -w landed.ts),foreign.ts; git commit -q -m Foreign'),
    ),
  );
  const results = model.results('landed');
  expect(results[2]?.text).toMatch(/Nexus-Feature: landed\\?n?\s*Nexus-Fence: \d+/);
  expect(results[3]).toMatchObject({ isError: true, text: expect.stringContaining('Bob') as string });
});
