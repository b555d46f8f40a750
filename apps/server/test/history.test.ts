import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { eventually, onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { createCrew, type Crew, refusal } from './support.ts';

type Terminal = Client & { sessionId: string };

onEachEngineSet('history', (set) => {
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  let one: Terminal;
  let two: Terminal;

  beforeAll(async () => {
    server = await startServer(set);
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    projectId = await crew.project();
    one = await terminal(crew.lead, projectId);
    two = await terminal(crew.member, projectId);
  });

  const claim = (client: Client, ...paths: string[]) => client.claim({ projectId, body: { paths } });
  const why = (path: string) => crew.readonly.why({ projectId, query: { path } });
  const history = async (query: { path?: string; session?: string; limit?: number; cursor?: string } = {}) =>
    crew.readonly.history({ projectId, query });

  test('why tells who holds a path, who waits and asks for it, who had it last at which commit, and what it caused', async () => {
    const commit = 'a'.repeat(40);
    await readyFeature(crew.lead, projectId, 'auth', ['src/auth/']);
    await two.claim({ projectId, body: { paths: ['src/auth/x.ts'] } });
    await two.releaseClaims({ projectId, body: { commit } });
    await one.pickFeature({ projectId, slug: 'auth' });
    await refusal(claim(two, 'src/auth/x.ts', 'free.ts'));
    await two.checkClaims({ projectId, body: { paths: ['src/auth/y.ts', 'src/auth/x.ts'] } });
    const { id } = await two.joinQueue({ projectId, body: { paths: ['src/auth/x.ts'] } });
    await two.requestPaths({ projectId, body: { paths: ['src/auth/x.ts'] } });
    await eventually('it is counted', async () => (await why('src/auth/x.ts')).conflicts.denied === 1);
    const told = await why('src/auth/x.ts');
    expect(told).toMatchObject({
      path: 'src/auth/x.ts',
      heldBy: [{ heldPath: 'src/auth/', claimedBy: { sessionId: one.sessionId, featureSlug: 'auth' } }],
      waiting: [{ id, sessionId: two.sessionId }],
      requests: [{ state: 'open', askedBy: { sessionId: two.sessionId } }],
      lastHeld: { sessionId: two.sessionId, endedAs: 'released', paths: ['src/auth/x.ts'] },
      lastCommit: { commit },
      conflicts: { refused: 1, denied: 1 },
    });
    expect(told.conflicts.lastAt).not.toBeNull();
    expect((await why('src/')).conflicts).toMatchObject({ refused: 1, denied: 2 });
    expect(await why('elsewhere.ts')).toMatchObject({
      heldBy: [],
      waiting: [],
      requests: [],
      lastHeld: null,
      lastCommit: null,
      conflicts: { refused: 0, denied: 0, lastAt: null, blockedMinutes: 0 },
    });
    expect((await refusal(why('../x'))).code).toBe('PATH_ESCAPES');
  });

  test('every hold is there with how it ended, newest first, page by page', async () => {
    await readyFeature(crew.lead, projectId, 'a', ['src/a.ts', 'ro:docs/']);
    for (let turn = 0; turn < 5; turn += 1) {
      await one.pickFeature({ projectId, slug: 'a' });
      await one.releaseFeature({ projectId, slug: 'a' });
    }
    await claim(two, 'src/*.css', 'b.ts');
    await crew.lead.endSession({ projectId, sessionId: one.sessionId, body: { reason: 'died' } });
    const { fence } = await two.pickFeature({ projectId, slug: 'a' });
    await crew.lead.forceReleaseFeature({ projectId, slug: 'a', body: { fence: fence ?? 0, reason: 'r' } });

    const all = await history();
    expect(all.items.map(({ endedAs, featureSlug }) => [featureSlug, endedAs])).toEqual([
      ['a', 'forced'],
      [null, null],
      ...Array.from({ length: 5 }, () => ['a', 'released'] as [string, string]),
    ]);
    expect(all.items[0]).toMatchObject({ sessionId: two.sessionId, engineerName: 'Mem', paths: ['ro:docs/', 'src/a.ts'], parked: false });

    const paged: number[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await history({ limit: 3, ...(cursor ? { cursor } : {}) });
      paged.push(...page.items.map((item) => item.fence));
      if (page.nextCursor === null) break;
      cursor = page.nextCursor;
    }
    expect(paged).toEqual(all.items.map((item) => item.fence));

    const count = async (query: Parameters<typeof history>[0]) => (await history(query)).items.length;
    expect([await count({ path: 'src/a.ts' }), await count({ path: 'src/a.css' }), await count({ path: 'src/' })]).toEqual([6, 1, 7]);
    expect([await count({ path: 'docs/x.md' }), await count({ path: 'none.ts' }), await count({ path: 'b.ts' })]).toEqual([6, 0, 1]);
    expect([await count({ session: two.sessionId }), await count({ session: 'nobody' })]).toEqual([2, 0]);
    const first = await history({ path: 'b.ts', limit: 1 });
    expect([first.items.length, first.nextCursor]).toEqual([1, null]);
    expect((await refusal(history({ cursor: 'x' }))).code).toBe('VALIDATION_ERROR');
  });

  test('stats count what was held, refused, denied, waited for and asked', async () => {
    await claim(one, 'hot.ts', 'cold.ts');
    for (let turn = 0; turn < 3; turn += 1) await refusal(claim(two, 'hot.ts'));
    await two.joinQueue({ projectId, body: { paths: ['cold.ts'] } });
    await one.requestPaths({ projectId, body: { paths: ['free.ts'] } });
    await two.heartbeats({ body: { sessions: [two.sessionId], activity: [{ session: two.sessionId, edits: 8, denials: 2 }] } });
    await one.releaseClaims({ projectId });
    await eventually('it is counted', async () => (await crew.readonly.stats({ projectId })).conflictsPrevented.refused === 3);
    await eventually('it is granted', async () => (await crew.readonly.stats({ projectId })).waits.granted === 1);
    const stats = await crew.readonly.stats({ projectId });
    expect(stats).toMatchObject({
      edits: { tried: 8, denied: 2, deniedPer100: 25 },
      conflictsPrevented: { refused: 3, denied: 0 },
      holds: { granted: 2, released: 1, lost: 0, forced: 0, handedOver: 0 },
      waits: { begun: 1, granted: 1 },
      requests: { asked: 0, yielded: 0, refused: 0 },
    });
    expect(stats.hot).toMatchObject([
      { path: 'hot.ts', refused: 3, denied: 0, blockedMinutes: 0, holds: 1 },
      { path: 'cold.ts', refused: 0, denied: 0, holds: 2 },
    ]);
    const later = await crew.readonly.stats({ projectId, query: { since: new Date(Date.now() + 3_600_000).toISOString() } });
    expect([later.holds.granted, later.waits.begun]).toEqual([0, 0]);
    expect((await refusal(crew.readonly.stats({ projectId, query: { since: 'yesterday' } }))).code).toBe('VALIDATION_ERROR');
  });
});
