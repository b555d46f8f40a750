import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { join } from 'node:path';
import { eventually, readyFeature, startServer, type TestServer } from '../../server/test/harness.ts';
import { append, git, type Machine, makeFolder, makeMachine, makeRepository, write } from './lib/hook-world.ts';

let server: TestServer;
let lead: Client;
let projectId: string;
let folder: { dir: string; remove: () => void };
let repo: string;
let here: Machine;

beforeAll(async () => {
  server = await startServer('embedded', { REGISTRATION: 'open' });
});
afterAll(() => server.stop());
beforeEach(async () => {
  ({ projectId, lead } = await server.project());
  folder = makeFolder();
  repo = join(folder.dir, 'repo');
  makeRepository(repo, { server: server.url, projectId, slug: 'p' });
  here = makeMachine({ server, client: lead, home: join(folder.dir, 'ann') });
  await readyFeature(lead, projectId, 'api', ['src/']);
});
afterEach(() => {
  here.stop();
  folder.remove();
});

const feature = () => lead.getFeature({ projectId, slug: 'api' });
const saves = async () =>
  (await lead.events({ projectId, query: { after: '0', limit: 1000 } })).items.filter(({ type }) => type === 'checkpoint_added').length;

async function atWork() {
  const ann = here.agent(repo);
  await ann.start();
  await lead.pickFeature({ projectId, slug: 'api' }, { session: `claude:${ann.sessionId}` });
  await ann.bash('true nexus feature pick api');
  return ann;
}

test('the end of a turn, and a compaction, save what changed; a turn without changes saves nothing', async () => {
  const ann = await atWork();
  append(repo, 'src/a.ts');
  expect(await ann.send('Stop')).toEqual({});
  await eventually('it is saved', async () => (await feature()).checkpoint !== undefined);
  const { checkpoint, heldBy } = await feature();
  expect(checkpoint).toMatchObject({
    type: 'auto_periodic',
    activeClaims: ['src/'],
    context: { gitBranch: 'main', dirty: true, diffStat: '1 file changed, 1 insertion(+)', wip: { files: ['src/a.ts'] } },
  });
  expect(git(repo, 'show', `refs/nexus/wip/${heldBy?.sessionId}:src/a.ts`)).toBe('src/a.ts\nmore\n');
  here.calls();
  await ann.send('Stop');
  await eventually('it was asked', () => here.calls().includes('POST /sessions/checkpoints'));
  append(repo, 'src/b.ts');
  expect(await ann.send('PreCompact', { trigger: 'auto' })).toEqual({});
  await eventually('it is saved again', async () => (await saves()) === 2);
});

test('a session that holds no feature asks nobody anything', async () => {
  const ann = here.agent(repo);
  await ann.edit('src/a.ts');
  here.calls();
  await ann.send('Stop');
  await ann.send('PreCompact', { trigger: 'manual' });
  await Bun.sleep(100);
  expect(here.calls()).toEqual([]);
});

test('work that is parked at the end is kept for whoever resumes, with a checkpoint', async () => {
  const ann = await atWork();
  append(repo, 'src/a.ts');
  write(repo, 'src/new.ts', 'new\n');
  await ann.send('SessionEnd', { reason: 'logout' });
  await eventually('it is parked', async () => (await feature()).heldBy?.parked === true);
  const { checkpoint, left } = await feature();
  expect(checkpoint).toMatchObject({ sessionId: left?.sessionId, context: { wip: { files: ['src/a.ts', 'src/new.ts'] } } });
  expect(git(repo, 'log', '-1', '--format=%s', `refs/nexus/wip/${left?.sessionId}`)).toContain('left by');
});

test('the next conversation is told what was left, by whom and how far it was; what is dirty is kept before it edits', async () => {
  const ann = await atWork();
  append(repo, 'src/a.ts');
  const { id, heldBy } = await feature();
  const sessionId = heldBy?.sessionId ?? '';
  await lead.saveCheckpoint({ projectId, body: { sessionId, featureId: id, notes: 'Routes are there.\nNext: tests.' } });
  await lead.endSession({ projectId, sessionId, body: { reason: 'died' } });
  const said = (await here.agent(repo).start()).context ?? '';
  expect(said).toMatch(/api left by Lead \(claude\) \d+ s ago; noted: "Routes are there\. Next: tests\."/);
  expect(git(repo, 'show', `refs/nexus/wip/${sessionId}:src/a.ts`)).toBe('src/a.ts\nmore\n');
  expect(ann.sessionId).not.toBe(sessionId);
});
