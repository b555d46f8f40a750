import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { eventually, onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { createCrew, type Crew, eventsOf, refusal } from './support.ts';

type Terminal = Client & { sessionId: string };

onEachEngineSet('sessions', (set) => {
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  let lead: Client;

  beforeAll(async () => {
    server = await startServer(set);
    crew = await createCrew(server);
    lead = crew.lead;
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    projectId = await crew.project();
  });

  const open = (client: Client, agentSessionId: string, agent = 'claude') =>
    client.openSession({ projectId, body: { agent, agentSessionId } });
  const live = async () => (await lead.activeSessions({ projectId })).map(({ session }) => session.id);
  const end = (client: Client, sessionId: string, body: { reason?: 'ended' | 'died'; unlanded?: string[] } = {}) =>
    client.endSession({ projectId, sessionId, body });
  const get = (slug: string) => lead.getFeature({ projectId, slug });

  describe('opening', () => {
    test('is get-or-create by agent and the agent’s own session id', async () => {
      const first = await lead.openSession({ projectId, body: { agent: 'claude', agentSessionId: 'a', metadata: { gitBranch: 'main' } } });
      const again = await lead.openSession({ projectId, body: { agent: 'claude', agentSessionId: 'a', metadata: { pid: 7 } } });
      expect(first).toMatchObject({
        status: 'active',
        agent: 'claude',
        agentSessionId: 'a',
        parentId: null,
        featureId: null,
        leaseSeconds: 1800,
        keeper: false,
      });
      expect(again).toMatchObject({ id: first.id, createdAt: first.createdAt, metadata: { gitBranch: 'main', pid: 7 } });
      expect((await open(lead, 'b')).id).not.toBe(first.id);
      expect((await open(lead, 'a', 'codex')).id).not.toBe(first.id);
      expect((await open(crew.member, 'a')).id).not.toBe(first.id);
      expect(await live()).toHaveLength(4);
      expect((await eventsOf(lead, projectId)).filter(({ type }) => type === 'session_started')).toHaveLength(4);
    });

    test('ten at once with the same ids are one session', async () => {
      const opened = await Promise.all(Array.from({ length: 10 }, () => open(lead, 'same')));
      expect(new Set(opened.map(({ id }) => id)).size).toBe(1);
      expect(await live()).toHaveLength(1);
    });

    test('with a keeper the lease is short, and a keeper that comes later shortens it', async () => {
      const { id, leaseSeconds } = await lead.openSession({ projectId, body: { agent: 'claude', agentSessionId: 'a', keeper: true } });
      expect(leaseSeconds).toBe(90);
      expect((await lead.heartbeat({ projectId, sessionId: id })).leaseSeconds).toBe(90);
      await open(lead, 'late');
      const kept = await lead.openSession({ projectId, body: { agent: 'claude', agentSessionId: 'late', keeper: true } });
      expect((await lead.heartbeat({ projectId, sessionId: kept.id })).leaseSeconds).toBe(90);
    });

    test('a feature, and a parent, must be of the project and the caller', async () => {
      const { id: feature } = await lead.createFeature({ projectId, body: { slug: 'f', title: 'f', spec: '' } });
      expect((await lead.openSession({ projectId, body: { agentSessionId: 'f', featureId: feature } })).featureId).toBe(feature);
      const elsewhere = await crew.stranger.createProject({ body: { name: 'E', slug: `e-${crypto.randomUUID()}` } });
      const foreign = await crew.stranger.createFeature({ projectId: elsewhere.id, body: { slug: 'f', title: 'f', spec: '' } });
      const { id: colleagues } = await open(crew.member, 'p');
      for (const body of [
        { featureId: foreign.id },
        { featureId: crypto.randomUUID() },
        { parentId: colleagues },
        { parentId: crypto.randomUUID() },
        { parentId: 'nonsense' },
      ]) {
        expect(await refusal(lead.openSession({ projectId, body: { agentSessionId: crypto.randomUUID(), ...body } }))).toMatchObject({
          status: 404,
          code: 'NOT_FOUND',
        });
      }
    });
  });

  describe('the acting session', () => {
    test('a bare client gets a default session by its first write that needs one; reads make none', async () => {
      await readyFeature(lead, projectId, 'f', ['f.ts']);
      await lead.availableFeatures({ projectId });
      await lead.myClaims({ projectId });
      await lead.checkClaims({ projectId, body: { paths: ['f.ts'] } });
      await lead.status({ projectId });
      expect(await live()).toEqual([]);
      const picked = await lead.pickFeature({ projectId, slug: 'f' });
      expect(await live()).toEqual([picked.heldBy?.sessionId ?? '']);
      expect(await lead.myClaims({ projectId })).toMatchObject([{ filePath: 'f.ts' }]);
      expect((await lead.checkClaims({ projectId, body: { paths: ['f.ts'] } })).paths[0]?.state).toBe('mine');
      await lead.claim({ projectId, body: { paths: ['g.ts'] } });
      expect(await live()).toHaveLength(1);
      expect(await lead.openSession({ projectId, body: {} })).toMatchObject({ id: picked.heldBy?.sessionId, leaseSeconds: 3600 });
    });

    test('opening without the agent’s id is that same default session, whatever agent asks', async () => {
      const { id } = await lead.openSession({ projectId, body: { agent: 'gemini' } });
      await readyFeature(lead, projectId, 'f');
      expect((await lead.pickFeature({ projectId, slug: 'f' })).heldBy?.sessionId).toBe(id);
    });

    test('is named by its id, or by agent and the agent’s id', async () => {
      const { id } = await open(lead, 'run:7');
      await readyFeature(lead, projectId, 'f');
      await readyFeature(lead, projectId, 'g');
      expect((await lead.with({ session: id }).pickFeature({ projectId, slug: 'f' })).heldBy?.sessionId).toBe(id);
      expect((await lead.with({ session: 'claude:run:7' }).pickFeature({ projectId, slug: 'g' })).heldBy?.sessionId).toBe(id);
    });

    test('a foreign or unknown one is 404, with one answer for both', async () => {
      await readyFeature(lead, projectId, 'f');
      const other = await crew.project();
      const { id: elsewhere } = await lead.openSession({ projectId: other, body: { agentSessionId: 'x' } });
      const { id: colleagues } = await open(crew.member, 'a');
      const messages = new Set<string>();
      for (const session of [colleagues, elsewhere, crypto.randomUUID(), 'claude:a', 'nonsense', ':']) {
        for (const call of [
          () => lead.with({ session }).pickFeature({ projectId, slug: 'f' }),
          () => lead.with({ session }).myClaims({ projectId }),
        ]) {
          const refused = await refusal(call());
          expect([session, refused.status, refused.code]).toEqual([session, 404, 'NOT_FOUND']);
          messages.add(refused.message);
        }
      }
      expect(messages.size).toBe(1);
      expect((await get('f')).status).toBe('ready');
    });
  });

  describe('the end', () => {
    test('of a session frees what it holds: features are ready, not interrupted', async () => {
      const one = await terminal(lead, projectId);
      await readyFeature(lead, projectId, 'f', ['f.ts']);
      await one.pickFeature({ projectId, slug: 'f' });
      await one.claim({ projectId, body: { paths: ['x.ts'] } });
      expect(await end(lead, one.sessionId)).toMatchObject({ id: one.sessionId, status: 'ended', expiresAt: null });
      expect(await get('f')).toMatchObject({ status: 'ready', interrupted: false, heldBy: null });
      expect(await lead.listClaims({ projectId })).toEqual([]);
      expect(await live()).toEqual([]);
      expect(await end(lead, one.sessionId)).toMatchObject({ status: 'ended' });
      expect((await eventsOf(lead, projectId)).filter(({ type }) => type === 'session_ended').map(({ data }) => data['reason'])).toEqual([
        'ended',
      ]);
    });

    test('with unlanded work parks it: it stays held, its owner’s next session or a colleague resumes it, with no gap', async () => {
      const one = await terminal(lead, projectId);
      const colleague = await terminal(crew.member, projectId);
      await readyFeature(lead, projectId, 'f', ['f.ts']);
      await readyFeature(lead, projectId, 'clean', ['c.ts']);
      const { fence } = await one.pickFeature({ projectId, slug: 'f' });
      await one.pickFeature({ projectId, slug: 'clean' });
      await end(one, one.sessionId, { unlanded: ['f'] });
      expect((await get('clean')).status).toBe('ready');
      expect(await get('f')).toMatchObject({ status: 'active', fence, heldBy: { sessionId: one.sessionId, parked: true } });
      expect(await lead.listClaims({ projectId })).toMatchObject([{ filePath: 'f.ts', parked: true, expiresAt: null }]);
      expect((await refusal(colleague.claim({ projectId, body: { paths: ['f.ts'] } }))).details).toMatchObject({
        conflicts: [{ claimedBy: { parked: true, expiresAt: null } }],
      });
      expect((await colleague.checkClaims({ projectId, body: { paths: ['f.ts'] } })).paths[0]?.state).toBe('held');
      const refused = await refusal(colleague.pickFeature({ projectId, slug: 'f' }));
      expect([refused.code, refused.message.includes('resume')]).toEqual(['INVALID_STATUS_TRANSITION', true]);
      expect((await refusal(colleague.doneFeature({ projectId, slug: 'f' }))).code).toBe('FENCED');

      const resumed = await colleague.resumeFeature({ projectId, slug: 'f' });
      expect(resumed).toMatchObject({ status: 'active', heldBy: { sessionId: colleague.sessionId, parked: false } });
      expect(resumed.fence ?? 0).toBeGreaterThan(fence ?? 0);
      expect(await lead.listClaims({ projectId })).toMatchObject([{ filePath: 'f.ts', sessionId: colleague.sessionId, parked: false }]);
      expect((await colleague.doneFeature({ projectId, slug: 'f', body: { fence: resumed.fence ?? 0 } })).status).toBe('done');
    });

    test('the same agent’s next session resumes what its last one parked', async () => {
      const first = await open(lead, 'same');
      await readyFeature(lead, projectId, 'f', ['f.ts']);
      await lead.with({ session: first.id }).pickFeature({ projectId, slug: 'f' });
      await end(lead, first.id, { unlanded: ['f'] });
      const second = await open(lead, 'same');
      expect(second.id).not.toBe(first.id);
      expect((await lead.with({ session: 'claude:same' }).resumeFeature({ projectId, slug: 'f' })).heldBy?.sessionId).toBe(second.id);
    });

    test('features parked together whose paths overlap are resumed together, for none could be alone', async () => {
      const one = await terminal(lead, projectId);
      const colleague = await terminal(crew.member, projectId);
      const touches = { tree: ['src/'], file: ['src/a.ts', 'lib/*.ts'], glob: ['lib/**'], apart: ['docs/'] };
      for (const [slug, paths] of Object.entries(touches)) {
        await readyFeature(lead, projectId, slug, paths);
        await one.pickFeature({ projectId, slug });
      }
      await end(one, one.sessionId, { unlanded: Object.keys(touches) });
      await colleague.resumeFeature({ projectId, slug: 'tree' });
      const holders = async () =>
        Promise.all(Object.keys(touches).map(async (slug) => (await get(slug)).heldBy?.sessionId === colleague.sessionId));
      expect(await holders()).toEqual([true, true, true, false]);
      for (const slug of ['file', 'apart']) expect((await colleague.resumeFeature({ projectId, slug })).heldBy?.parked).toBe(false);
      expect(await holders()).toEqual([true, true, true, true]);
    });

    test('resuming hands over what the parked hold really had: paths added on the way, and none that it gave back', async () => {
      const one = await terminal(lead, projectId);
      const colleague = await terminal(crew.member, projectId);
      await readyFeature(lead, projectId, 'f', ['f.ts', 'given-back.ts']);
      await one.pickFeature({ projectId, slug: 'f' });
      await one.claim({ projectId, body: { paths: ['added.ts'], featureSlug: 'f' } });
      const { fence } = await one.releaseClaims({ projectId, body: { paths: ['given-back.ts'], fence: (await get('f')).fence ?? 0 } });
      await end(one, one.sessionId, { unlanded: ['f'] });
      await colleague.claim({ projectId, body: { paths: ['given-back.ts'] } });
      const resumed = await lead.resumeFeature({ projectId, slug: 'f' });
      expect(resumed.fence ?? 0).toBeGreaterThan(fence);
      expect((await lead.myClaims({ projectId })).map(({ filePath }) => filePath)).toEqual(['added.ts', 'f.ts']);
    });

    test('a lead force-releases what is parked', async () => {
      const one = await terminal(crew.member, projectId);
      await readyFeature(lead, projectId, 'f', ['f.ts']);
      const { fence } = await one.pickFeature({ projectId, slug: 'f' });
      await end(one, one.sessionId, { unlanded: ['f'] });
      expect((await lead.forceReleaseFeature({ projectId, slug: 'f', body: { fence: fence ?? 0, reason: 'gone' } })).status).toBe('ready');
      expect(await lead.listClaims({ projectId })).toEqual([]);
    });

    test('a session that died is lost at once, without grace', async () => {
      const one = await terminal(lead, projectId);
      await readyFeature(lead, projectId, 'f', ['f.ts']);
      await one.pickFeature({ projectId, slug: 'f' });
      expect(await end(lead, one.sessionId, { reason: 'died' })).toMatchObject({ status: 'lost' });
      expect(await get('f')).toMatchObject({ status: 'ready', interrupted: true });
      expect((await lead.status({ projectId })).interrupted.map(({ slug }) => slug)).toEqual(['f']);
      expect((await refusal(lead.heartbeat({ projectId, sessionId: one.sessionId }))).status).toBe(410);
    });

    test('children end with their parent', async () => {
      const one = await terminal(lead, projectId);
      const child = await terminal(lead, projectId, { parentId: one.sessionId });
      const grandchild = await terminal(lead, projectId, { parentId: child.sessionId });
      await grandchild.claim({ projectId, body: { paths: ['g.ts'] } });
      await end(lead, one.sessionId);
      expect(await live()).toEqual([]);
      expect(await lead.listClaims({ projectId })).toEqual([]);
      for (const gone of [child, grandchild])
        expect((await refusal(gone.claim({ projectId, body: { paths: ['x.ts'] } }))).code).toBe('SESSION_LOST');
      expect((await refusal(lead.openSession({ projectId, body: { agentSessionId: 'late', parentId: one.sessionId } }))).code).toBe(
        'SESSION_LOST',
      );
    });

    test('nobody ends the session of another', async () => {
      const one = await terminal(crew.member, projectId);
      for (const reason of ['ended', 'died'] as const) {
        expect((await refusal(end(lead, one.sessionId, { reason }))).code).toBe('NOT_FOUND');
        expect((await refusal(end(lead, crypto.randomUUID(), { reason }))).code).toBe('NOT_FOUND');
      }
      expect(await live()).toEqual([one.sessionId]);
    });
  });

  describe('after the end', () => {
    test('every write of a session that is over is 410, and says who holds its work now', async () => {
      const one = await terminal(lead, projectId);
      const colleague = await terminal(crew.member, projectId);
      await readyFeature(lead, projectId, 'f', ['f.ts']);
      await readyFeature(lead, projectId, 'other', ['o.ts']);
      const { fence } = await one.pickFeature({ projectId, slug: 'f' });
      await end(lead, one.sessionId, { reason: 'died' });
      await colleague.pickFeature({ projectId, slug: 'f' });
      const f = { projectId, slug: 'f' };
      const other = { projectId, slug: 'other' };
      const writes: Array<() => Promise<unknown>> = [
        () => one.doneFeature(f),
        () => one.releaseFeature({ ...f, body: { fence: fence ?? 0 } }),
        () => one.cancelFeature(f),
        () => one.cancelFeature(other),
        () => one.updateFeature({ ...f, body: { touches: [] } }),
        () => one.updateFeature({ ...other, body: { touches: [] } }),
        () => one.pickFeature(other),
        () => one.pickNext({ projectId }),
        () => one.resumeFeature(f),
        () => one.claim({ projectId, body: { paths: ['x.ts'] } }),
        () => one.releaseClaims({ projectId }),
        () => one.refreshClaims({ projectId }),
        () => lead.heartbeat({ projectId, sessionId: one.sessionId }),
      ];
      for (const [at, write] of writes.entries()) {
        const refused = await refusal(write());
        expect([at, refused.status, refused.code]).toEqual([at, 410, 'SESSION_LOST']);
        expect(refused.details).toMatchObject({
          sessionId: one.sessionId,
          status: 'lost',
          holds: [
            { featureSlug: 'f', fence, endedAs: 'lost', heldBy: { sessionId: colleague.sessionId, engineerName: 'Mem', featureSlug: 'f' } },
          ],
        });
        expect(refused.message).toContain('Mem');
      }
      expect(await get('f')).toMatchObject({ status: 'active', touches: ['f.ts'] });
      expect(await get('other')).toMatchObject({ status: 'ready', touches: ['o.ts'] });
    });

    test('reads go on, and the same agent id opens a new session', async () => {
      const first = await open(lead, 'same');
      await end(lead, first.id, { reason: 'died' });
      expect(await lead.with({ session: first.id }).myClaims({ projectId })).toEqual([]);
      expect((await refusal(lead.with({ session: 'claude:same' }).claim({ projectId, body: { paths: ['x'] } }))).code).toBe('SESSION_LOST');
      const second = await open(lead, 'same');
      expect(second.id).not.toBe(first.id);
      expect((await lead.with({ session: 'claude:same' }).claim({ projectId, body: { paths: ['x'] } })).paths).toEqual(['x']);
    });

    test('a default session that ended is followed by a new one at the next write', async () => {
      await lead.claim({ projectId, body: { paths: ['x'] } });
      const [first = ''] = await live();
      await end(lead, first);
      await lead.claim({ projectId, body: { paths: ['x'] } });
      expect(await live()).not.toEqual([first]);
      expect(await live()).toHaveLength(1);
    });
  });

  describe('heartbeats', () => {
    test('tell what is held, and once what others ended', async () => {
      const one = await terminal(lead, projectId);
      await readyFeature(lead, projectId, 'f', ['f.ts']);
      const { fence } = await one.pickFeature({ projectId, slug: 'f' });
      const beat = () => lead.heartbeat({ projectId, sessionId: one.sessionId });
      expect(await beat()).toMatchObject({ ok: true, leaseSeconds: 1800, holds: [{ featureSlug: 'f', fence }], lost: [], degraded: false });
      await lead.forceReleaseFeature({ projectId, slug: 'f', body: { fence: fence ?? 0, reason: 'x' } });
      expect(await beat()).toMatchObject({ holds: [], lost: [{ featureSlug: 'f', fence, reason: 'forced' }] });
      expect(await beat()).toMatchObject({ holds: [], lost: [] });
    });

    test('a live session that the store forgets over and over is told that it lives', async () => {
      const one = await terminal(lead, projectId);
      const { leases } = server.deps;
      const { beat } = leases;
      leases.beat = async (_, sessions) => sessions.map((session) => ({ session, state: 'unknown' }));
      try {
        expect(await lead.heartbeat({ projectId, sessionId: one.sessionId })).toMatchObject({ ok: true, degraded: true });
        const { sessions } = await lead.heartbeats({ body: { sessions: [one.sessionId] } });
        expect(sessions).toMatchObject([{ state: 'ok', degraded: true }]);
        await lead.endSession({ projectId, sessionId: one.sessionId, body: { reason: 'ended' } });
        expect((await refusal(lead.heartbeat({ projectId, sessionId: one.sessionId }))).code).toBe('SESSION_LOST');
      } finally {
        leases.beat = beat;
      }
    });

    test('what the session ended itself is not lost', async () => {
      const one = await terminal(lead, projectId);
      await readyFeature(lead, projectId, 'f', ['f.ts']);
      await one.pickFeature({ projectId, slug: 'f' });
      await one.claim({ projectId, body: { paths: ['x'] } });
      await one.doneFeature({ projectId, slug: 'f' });
      await one.releaseClaims({ projectId });
      expect(await lead.heartbeat({ projectId, sessionId: one.sessionId })).toMatchObject({ holds: [], lost: [] });
    });

    test('of a foreign, unknown or other project’s session are 404', async () => {
      const one = await terminal(crew.member, projectId);
      const other = await crew.project();
      const { id } = await lead.openSession({ projectId: other, body: {} });
      for (const sessionId of [one.sessionId, id, crypto.randomUUID(), 'nonsense']) {
        expect(await refusal(lead.heartbeat({ projectId, sessionId }))).toMatchObject({ status: 404, code: 'NOT_FOUND' });
      }
    });

    test('many at once, of several projects, always have an answer for each, in the order asked', async () => {
      const other = await crew.project();
      const one = await terminal(lead, projectId, { keeper: true });
      const { id: elsewhere } = await lead.openSession({ projectId: other, body: {} });
      const gone = await terminal(lead, projectId);
      const foreign = await terminal(crew.member, projectId);
      await end(lead, gone.sessionId, { reason: 'died' });
      await one.claim({ projectId, body: { paths: ['x'] } });
      const ids = [foreign.sessionId, one.sessionId, gone.sessionId, elsewhere, crypto.randomUUID(), 'nonsense', one.sessionId];
      const { sessions } = await lead.heartbeats({ body: { sessions: ids } });
      expect(sessions.map(({ id }) => id)).toEqual(ids);
      expect(sessions.map(({ state }) => state)).toEqual(['unknown', 'ok', 'over', 'ok', 'unknown', 'unknown', 'ok']);
      expect(sessions[1]).toMatchObject({ leaseSeconds: 90, holds: [{ featureSlug: null }], degraded: false });
    });
  });
});

onEachEngineSet('leases of 2 s, grace of 1 s, parked for 1 s', (set) => {
  let server: TestServer;
  let crew: Crew;
  let lead: Client;

  beforeAll(async () => {
    server = await startServer(set, { LEASE_TTL_SECONDS: '2', GRACE_SECONDS: '1', PARKED_HOLD_TTL_SECONDS: '1' });
    crew = await createCrew(server);
    lead = crew.lead;
  });
  afterAll(() => server.stop());

  const stateOf = async (projectId: string, id: string) =>
    (await lead.activeSessions({ projectId })).find(({ session }) => session.id === id)?.session.status;
  /** A session with a feature and an ad hoc claim, in a project of its own. */
  async function atWork(): Promise<{ projectId: string; one: Terminal; fence: number }> {
    const projectId = await crew.project();
    const one = await terminal(lead, projectId);
    await readyFeature(lead, projectId, 'f', ['f.ts']);
    await one.claim({ projectId, body: { paths: ['x.ts'] } });
    const { fence } = await one.pickFeature({ projectId, slug: 'f' });
    return { projectId, one, fence: fence ?? 0 };
  }

  test.concurrent('a silent session becomes stale, and a heartbeat revives it', async () => {
    const { projectId, one } = await atWork();
    await eventually('stale', async () => (await stateOf(projectId, one.sessionId)) === 'stale');
    expect((await lead.getFeature({ projectId, slug: 'f' })).status).toBe('active');
    expect(await lead.heartbeat({ projectId, sessionId: one.sessionId })).toMatchObject({
      ok: true,
      leaseSeconds: 2,
      holds: [{ featureSlug: null }, { featureSlug: 'f' }],
      lost: [],
    });
    expect(await stateOf(projectId, one.sessionId)).toBe('active');
  });

  test.concurrent('a write renews as a heartbeat does', async () => {
    const { projectId, one } = await atWork();
    const until = Date.now() + 4500;
    for (let count = 0; Date.now() < until; count += 1) {
      await Bun.sleep(700);
      if (count % 3 === 0) await one.claim({ projectId, body: { paths: ['x.ts'] } });
      else if (count % 3 === 1) await one.updateFeature({ projectId, slug: 'f', body: { title: `${count}` } });
      else await one.refreshClaims({ projectId });
    }
    expect((await lead.getFeature({ projectId, slug: 'f' })).heldBy?.sessionId).toBe(one.sessionId);
  });

  test.concurrent('after the grace period the sweep loses it: it, its holds and its feature in one commit, and the feed tells all', async () => {
    const { projectId, one, fence } = await atWork();
    await eventually('lost', async () => (await lead.getFeature({ projectId, slug: 'f' })).status === 'ready');
    expect(await lead.getFeature({ projectId, slug: 'f' })).toMatchObject({ interrupted: true, heldBy: null, claimedBy: null });
    expect(await lead.listClaims({ projectId })).toEqual([]);
    expect(await lead.activeSessions({ projectId })).toEqual([]);
    const events = (await eventsOf(lead, projectId)).slice(-4);
    expect(events.map(({ type, feature, data }) => [type, feature?.slug ?? null, data['reason'], data['paths'] ?? null])).toEqual([
      ['files_released', null, 'lost', ['x.ts']],
      ['feature_released', 'f', 'lost', null],
      ['files_released', 'f', 'lost', ['f.ts']],
      ['session_ended', null, 'lost', null],
    ]);
    for (const event of events)
      expect(event).toMatchObject({ engineer: { name: 'Lead' }, actor: { session: one.sessionId, agent: 'claude' } });
    expect(await refusal(one.doneFeature({ projectId, slug: 'f', body: { fence } }))).toMatchObject({
      status: 410,
      details: { status: 'lost', holds: [{ fence, heldBy: null }, { featureSlug: null }] },
    });
    const { sessions } = await lead.heartbeats({ body: { sessions: [one.sessionId] } });
    expect(sessions).toMatchObject([{ state: 'over' }]);
  });

  test.concurrent('no earlier than lease and grace', async () => {
    const { projectId, one } = await atWork();
    await lead.heartbeat({ projectId, sessionId: one.sessionId });
    const from = performance.now();
    await eventually('lost', async () => (await stateOf(projectId, one.sessionId)) === undefined);
    expect(performance.now() - from).toBeGreaterThan(2900);
  });

  test.concurrent('a parent that falls silent takes its children along, though they beat', async () => {
    const { projectId, one } = await atWork();
    const child = await terminal(lead, projectId, { parentId: one.sessionId });
    await child.claim({ projectId, body: { paths: ['child.ts'] } });
    await eventually('lost', async () => {
      await lead.heartbeats({ body: { sessions: [child.sessionId] } });
      return (await lead.activeSessions({ projectId })).length === 0;
    });
    expect(await lead.listClaims({ projectId })).toEqual([]);
  });

  test.concurrent('what is parked is not swept with its session, and is interrupted when its own time is over', async () => {
    const { projectId, one } = await atWork();
    await lead.endSession({ projectId, sessionId: one.sessionId, body: { unlanded: ['f'] } });
    expect(await lead.getFeature({ projectId, slug: 'f' })).toMatchObject({ status: 'active', heldBy: { parked: true } });
    await eventually('given up', async () => (await lead.getFeature({ projectId, slug: 'f' })).status === 'ready');
    expect((await lead.getFeature({ projectId, slug: 'f' })).interrupted).toBe(true);
    expect(await lead.listClaims({ projectId })).toEqual([]);
  });
});

onEachEngineSet('leases of 2 s, no sweep', (set) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer(set, { LEASE_TTL_SECONDS: '2', GRACE_SECONDS: '0' });
  });
  afterAll(() => server.stop());

  test('a pick, a claim and a pick-next each lose a dead session on the spot', async () => {
    await server.deps.sweep.stop();
    const crew = await createCrew(server);
    const { lead, member } = crew;
    const rooms = await Promise.all(
      ['pick', 'claim', 'next'].map(async (name) => {
        const projectId = await crew.project();
        const { id } = await lead.openSession({ projectId, body: { agent: 'claude', agentSessionId: name } });
        await readyFeature(lead, projectId, 'f', ['f.ts']);
        await lead.with({ session: id }).pickFeature({ projectId, slug: 'f' });
        return { projectId };
      }),
    );
    // The logical clock goes on only where it is looked at, as the sweep does.
    const until = Date.now() + 2600;
    while (Date.now() < until) {
      await Promise.all(rooms.map(({ projectId }) => server.deps.leases.stale(projectId)));
      await Bun.sleep(100);
    }
    const [pick, claim, next] = rooms;
    for (const room of rooms) expect((await lead.getFeature({ projectId: room.projectId, slug: 'f' })).status).toBe('active');
    const taken = await member.pickFeature({ projectId: pick?.projectId ?? '', slug: 'f' });
    expect(taken).toMatchObject({ status: 'active', claimedBy: member.engineer.id });
    expect((await member.claim({ projectId: claim?.projectId ?? '', body: { paths: ['f.ts'] } })).paths).toEqual(['f.ts']);
    expect((await member.pickNext({ projectId: next?.projectId ?? '' })).slug).toBe('f');
  });
});
