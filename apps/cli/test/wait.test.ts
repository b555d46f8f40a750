import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { eventually, readyFeature, startServer, terminal, type TestServer } from '../../server/test/harness.ts';
import { homeEnv, makePlace, makeRepository, type Place, runHere } from '../src/testing/io.ts';

type Terminal = Client & { sessionId: string };
let server: TestServer;
let lead: Client;
let projectId: string;
let holder: Terminal;
let own: Terminal;
let place: Place;

beforeAll(async () => {
  server = await startServer('embedded');
});
afterAll(() => server.stop());
beforeEach(async () => {
  ({ projectId, lead } = await server.project());
  [holder, own] = await Promise.all([terminal(lead, projectId), terminal(lead, projectId)]);
  await readyFeature(lead, projectId, 'login', ['src/login.ts']);
  await readyFeature(lead, projectId, 'auth', ['src/']);
  await holder.pickFeature({ projectId, slug: 'auth' });
  place = makePlace();
  makeRepository(place.dir);
});
afterEach(() => place.remove());

/** Runs the command; `onWait` once it tells that it waits. */
function nexus(args: string[], onWait: (said: string) => void = () => {}, signal = new AbortController().signal) {
  let told = false;
  return runHere(args, {
    cwd: place.dir,
    env: {
      ...homeEnv(place.dir),
      NEXUS_SERVER_URL: server.url,
      NEXUS_TOKEN: lead.options.apiKey ?? '',
      NEXUS_PROJECT: projectId,
      NEXUS_SESSION: own.sessionId,
    },
    signal,
    onErr: (said) => {
      if (told || !said.includes('Waiting for')) return;
      told = true;
      onWait(said);
    },
  });
}

test('pick --wait says for whom it waits, and picks when they let go', async () => {
  let said = '';
  const ran = await nexus(['feature', 'pick', 'login', '--wait', '1m'], (text) => {
    said = text;
    void nexus(['status']).then(async ({ out }) => {
      said += out;
      await holder.releaseFeature({ projectId, slug: 'auth' });
    });
  });
  expect(said).toContain('src/ is held by Lead (claude, session');
  expect(said).toMatch(/Waiting \(1\), first in line first\n[^\n]+\nlogin +Lead\/claude/);
  expect([ran.code, ran.out]).toEqual([0, expect.stringContaining('Picked login')]);
  expect((await lead.getFeature({ projectId, slug: 'login' })).heldBy?.sessionId).toBe(own.sessionId);
});

test('claims add --wait waits for paths', async () => {
  const running = nexus(['claims', 'add', 'src/x.ts', '--wait', '--json']);
  // With --json nothing is said while it waits.
  await eventually('it waits', async () => (await lead.listWaits({ projectId })).length === 1);
  await holder.doneFeature({ projectId, slug: 'auth' });
  const ran = await running;
  expect(ran.code).toBe(0);
  expect(JSON.parse(ran.out)).toMatchObject({ paths: ['src/x.ts'] });
}, 20_000);

test('Ctrl-C leaves the queue', async () => {
  const interrupt = new AbortController();
  const ran = await nexus(['feature', 'pick', 'login', '--wait'], () => interrupt.abort(), interrupt.signal);
  expect(ran.code).toBe(130);
  expect(await lead.listWaits({ projectId })).toEqual([]);
});

test('a wait that is over, and one that may not begin, end with 3 and say what to do', async () => {
  const late = await nexus(['feature', 'pick', 'login', '--wait', '1s']);
  expect([late.code, late.err]).toEqual([3, expect.stringContaining('Nobody let go in time')]);
  await own.claim({ projectId, body: { paths: ['docs/x.md'] } });
  const holding = await nexus(['feature', 'pick', 'login', '--wait']);
  expect([holding.code, holding.err]).toEqual([3, expect.stringContaining('only who holds nothing may wait')]);
  expect((await nexus(['feature', 'pick', 'login', '--wait', 'soon'])).code).toBe(2);
});

test('why, stats and claims history tell what happened', async () => {
  await nexus(['feature', 'pick', 'login']);
  const ran = await nexus(['why', 'src/login.ts']);
  expect(ran.out).toMatch(/^src\/login\.ts is held:\n[^\n]+\n +held as src\/ by Lead [^]*\nbefore +nobody held it\n/);
  await holder.releaseFeature({ projectId, slug: 'auth' });
  await eventually('it is counted', async () => (await nexus(['why', 'src/login.ts'])).out.includes('caused   1 refused'));
  expect((await nexus(['why', 'src/login.ts'])).out).toMatch(/^src\/login\.ts is free\.\nbefore +Lead \(claude, .+\) for auth, released /);
  expect((await nexus(['claims', 'history', 'src/login.ts'])).out).toMatch(/\n1 +Lead\/claude +\w+ +auth .+ released +- +src\/\n$/);
  const stats = await nexus(['stats', '--since', '24h']);
  expect(stats.out).toMatch(/conflicts prevented +1 picks and claims[^]+Hot paths\nPATH[^]+\nsrc\/login\.ts +1 /);
  expect((await nexus(['stats', '--since', 'soon'])).code).toBe(2);
});

test('who is behind somebody in line is told behind whom', async () => {
  const other = await terminal(lead, projectId);
  await other.joinQueue({ projectId, body: { paths: ['src/login.ts'] } });
  await holder.releaseFeature({ projectId, slug: 'auth' });
  await eventually('it is granted', async () => (await other.myClaims({ projectId })).length === 1);
  await holder.joinQueue({ projectId, body: { featureSlug: 'auth' } });
  const refused = await nexus(['claims', 'add', 'src/other.ts']);
  expect([refused.code, refused.err]).toEqual([
    3,
    expect.stringMatching(/refused: Lead[^\n]+waited for overlapping paths[^\n]+\n {2}Lead .+ waits for auth/),
  ]);
});
