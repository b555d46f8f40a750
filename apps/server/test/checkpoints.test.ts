import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { createCrew, type Crew, eventsOf, raw, refusal, slugs } from './support.ts';

type Terminal = Client & { sessionId: string };

onEachEngineSet('checkpoints', (set) => {
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  let lead: Client;
  let ann: Terminal;
  let featureId: string;

  beforeAll(async () => {
    server = await startServer(set);
    crew = await createCrew(server);
    lead = crew.lead;
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    projectId = await crew.project();
    ann = await terminal(lead, projectId);
    ({ id: featureId } = await readyFeature(lead, projectId, 'f', ['src/', 'ro:docs/']));
    await ann.pickFeature({ projectId, slug: 'f' });
  });

  type Body = Parameters<Client['saveCheckpoint']>[0]['body'];
  const save = (client: Terminal, more: Partial<Body> = {}) =>
    client.saveCheckpoint({ projectId, body: { sessionId: client.sessionId, featureId, ...more } });
  const latest = (client: Client = lead) => client.latestCheckpoint({ projectId, query: { featureId } });
  const die = (client: Terminal) => client.endSession({ projectId, sessionId: client.sessionId, body: { reason: 'died' } });

  describe('saving', () => {
    test('keeps context, notes and what is held; the last one is the latest, for every member', async () => {
      expect(await latest()).toBeNull();
      await ann.claim({ projectId, body: { paths: ['more.ts'] } });
      const first = await save(ann, { context: { gitBranch: 'b', progress: 50 }, notes: 'Half way.\nNext: tests.' });
      expect(first).toMatchObject({
        sessionId: ann.sessionId,
        featureId,
        engineerId: crew.lead.engineer.id,
        engineerName: 'Lead',
        agent: 'claude',
        type: 'manual',
        activeClaims: ['ro:docs/', 'more.ts', 'src/'],
        context: { gitBranch: 'b', progress: 50 },
        notes: 'Half way.\nNext: tests.',
        fence: 1,
        isLatest: true,
      });
      const second = await save(ann);
      expect(second).toMatchObject({ context: {}, notes: null, isLatest: true });
      expect(await latest(crew.readonly)).toEqual(second);
      expect(await lead.getFeature({ projectId, slug: 'f' })).toMatchObject({ checkpoint: { id: second?.id } });
      const told = (await eventsOf(lead, projectId)).filter(({ type }) => type === 'checkpoint_added');
      expect(told).toMatchObject([
        { feature: { slug: 'f' }, actor: { session: ann.sessionId }, data: { fence: 1, checkpoint: { id: first?.id, gitBranch: 'b' } } },
        { data: { checkpoint: { id: second?.id } } },
      ]);
    });

    test('of an automatic one that says nothing new keeps nothing; one that does keeps the notes', async () => {
      await save(ann, { notes: 'Next: tests.' });
      const auto = (context: object) => save(ann, { type: 'auto_periodic', context: { ...context } });
      const first = await auto({ a: 1, b: { c: [1, 2] } });
      expect(first?.notes).toBe('Next: tests.');
      expect(await auto({ b: { c: [1, 2] }, a: 1 })).toBeNull();
      const answer = await raw(server, 'POST', `/api/projects/${projectId}/sessions/checkpoints`, {
        key: crew.lead.options.apiKey,
        body: { sessionId: ann.sessionId, featureId, type: 'auto_periodic', context: { a: 1, b: { c: [1, 2] } } },
      });
      expect([answer.status, answer.json as unknown]).toEqual([200, { data: null, message: expect.stringContaining('Duplicate') }]);
      expect(await latest()).toEqual(first);
      expect(await save(ann, { context: { a: 1, b: { c: [1, 2] } } })).not.toBeNull();
      expect(await auto({ a: 2 })).not.toBeNull();
      await ann.claim({ projectId, body: { paths: ['more.ts'] } });
      expect(await auto({ a: 2 })).not.toBeNull();
    });

    test('is the holder’s alone: anybody else is fenced, told who has it, and changes nothing', async () => {
      const other = await terminal(lead, projectId);
      const refused = await refusal(save(other));
      expect(refused).toMatchObject({ status: 409, code: 'FENCED', details: { heldBy: { sessionId: ann.sessionId } } });
      expect(await refusal(save(ann, { fence: 9 }))).toMatchObject({ code: 'FENCED', details: { fence: 1, quoted: 9 } });
      await ann.releaseFeature({ projectId, slug: 'f' });
      expect(await refusal(save(ann))).toMatchObject({ code: 'FENCED', details: { status: 'ready', heldBy: null } });
      expect(await latest()).toBeNull();
      expect((await eventsOf(lead, projectId)).map(({ type }) => type)).not.toContain('checkpoint_added');
    });

    test('is open to an ancestor of the holder, and names a session as the header does', async () => {
      const child = await terminal(lead, projectId, { parentId: ann.sessionId });
      await readyFeature(lead, projectId, 'g', ['g.ts']);
      const { id: featureOfChild } = await child.pickFeature({ projectId, slug: 'g' });
      const saved = await ann.saveCheckpoint({ projectId, body: { sessionId: ann.sessionId, featureId: featureOfChild } });
      expect(saved?.activeClaims).toEqual(['ro:docs/', 'g.ts', 'src/']);
      expect(await refusal(save(child))).toMatchObject({ code: 'FENCED' });
      const { agent, agentSessionId } = await lead.openSession({ projectId, body: { agent: 'codex', agentSessionId: 'run:7' } });
      const named = `${agent}:${agentSessionId}`;
      await readyFeature(lead, projectId, 'h');
      const { id } = await lead.with({ session: named }).pickFeature({ projectId, slug: 'h' });
      expect(await lead.saveCheckpoint({ projectId, body: { sessionId: named, featureId: id } })).toMatchObject({ agent: 'codex' });
    });

    test('is refused to a session that is over, and for what is unknown or foreign', async () => {
      const elsewhere = await crew.stranger.createProject({ body: { name: 'E', slug: `e-${crypto.randomUUID()}` } });
      const foreign = await crew.stranger.createFeature({ projectId: elsewhere.id, body: { slug: 'f', title: 'f', spec: '' } });
      const messages = new Set<string>();
      for (const id of [foreign.id, crypto.randomUUID(), 'nonsense']) {
        for (const call of [() => save(ann, { featureId: id }), () => lead.latestCheckpoint({ projectId, query: { featureId: id } })]) {
          const refused = await refusal(call());
          expect(refused).toMatchObject({ status: 404 });
          messages.add(refused.message);
        }
      }
      expect(messages.size).toBe(1);
      const theirs = await terminal(crew.member, projectId);
      expect(await refusal(save(ann, { sessionId: theirs.sessionId }))).toMatchObject({ status: 404 });
      expect(await refusal(latest(crew.stranger))).toMatchObject({ status: 404 });
      await die(ann);
      expect(await refusal(save(ann))).toMatchObject({ status: 410, code: 'SESSION_LOST' });
    });

    test('as a retry is the same checkpoint', async () => {
      const body = { sessionId: ann.sessionId, featureId, notes: 'once' };
      const saved = await lead.saveCheckpoint({ projectId, body }, { idempotencyKey: 'k1' });
      expect(await lead.saveCheckpoint({ projectId, body }, { idempotencyKey: 'k1' })).toEqual(saved);
      expect((await eventsOf(lead, projectId)).filter(({ type }) => type === 'checkpoint_added')).toHaveLength(1);
    });

    test('works for a bare client, which acts in its key’s default session', async () => {
      const { id: ofMember } = await readyFeature(lead, projectId, 'g', ['g.ts']);
      await crew.member.pickFeature({ projectId, slug: 'g' });
      const { id: sessionId } = await crew.member.openSession({ projectId, body: { featureId: ofMember } });
      const body = { sessionId, featureId: ofMember, context: { gitBranch: 'b', gitCommit: 'c', dirty: true }, type: 'manual' as const };
      expect(await crew.member.saveCheckpoint({ projectId, body })).toMatchObject({ agent: 'default', activeClaims: ['g.ts'] });
    });

    test('ten at once leave one latest, and each of them is kept', async () => {
      const saved = await Promise.all(Array.from({ length: 10 }, (_, at) => save(ann, { notes: `n${at}` })));
      expect(new Set(saved.map((one) => one?.id)).size).toBe(10);
      const last = (await eventsOf(lead, projectId)).findLast(({ type }) => type === 'checkpoint_added');
      expect(last?.data).toMatchObject({ checkpoint: { id: (await latest())?.id } });
    });
  });

  describe('when the holder is gone', () => {
    const metadata = { machine: 'm1', worktree: '/home/ann/shop', gitBranch: 'topic' };
    beforeEach(async () => {
      await lead.endSession({ projectId, sessionId: ann.sessionId });
      const agentSessionId = crypto.randomUUID();
      const { id } = await lead.openSession({ projectId, body: { agent: 'claude', agentSessionId, metadata } });
      ann = Object.assign(lead.with({ session: id }), { sessionId: id });
      await ann.pickFeature({ projectId, slug: 'f' });
      await ann.claim({ projectId, body: { paths: ['extra.ts'], featureSlug: 'f' } });
      await save(ann, { notes: 'the form posts; errors are missing', context: { gitBranch: 'topic', gitCommit: 'c0ffee' } });
    });
    const left = { sessionId: '', engineerName: 'Lead', agent: 'claude', ...metadata, paths: ['ro:docs/', 'extra.ts', 'src/'] };

    test('its last checkpoint is in the event, in what is available, in the status and in the feature', async () => {
      await die(ann);
      const expected = { checkpoint: { notes: 'the form posts; errors are missing' }, left: { ...left, sessionId: ann.sessionId } };
      const lost = (await eventsOf(lead, projectId)).findLast(({ type }) => type === 'feature_released');
      expect(lost?.data).toMatchObject({
        reason: 'lost',
        checkpoint: { notes: 'the form posts; errors are missing', gitBranch: 'topic', gitCommit: 'c0ffee' },
      });
      expect(await lead.getFeature({ projectId, slug: 'f' })).toMatchObject({ interrupted: true, ...expected });
      expect(await lead.availableFeatures({ projectId })).toMatchObject([{ slug: 'f', ...expected }]);
      expect((await lead.status({ projectId })).interrupted).toMatchObject([{ slug: 'f', ...expected }]);
    });

    test('whoever resumes gets it with all that was held, under a new fence; the late agent’s writes are refused', async () => {
      const { fence } = await lead.getFeature({ projectId, slug: 'f' });
      await die(ann);
      const ben = await terminal(crew.member, projectId);
      const resumed = await ben.resumeFeature({ projectId, slug: 'f' });
      expect(resumed.fence).toBeGreaterThan(fence ?? Infinity);
      expect(resumed).toMatchObject({
        checkpoint: { notes: 'the form posts; errors are missing' },
        left: { ...left, sessionId: ann.sessionId },
      });
      const held = (await ben.myClaims({ projectId })).map(({ filePath, mode }) => `${mode} ${filePath}`);
      expect(held.toSorted()).toEqual(['read docs/', 'write extra.ts', 'write src/']);
      for (const call of [
        () => save(ann),
        () => ann.doneFeature({ projectId, slug: 'f' }),
        () => ann.releaseFeature({ projectId, slug: 'f' }),
        () => ann.cancelFeature({ projectId, slug: 'f' }),
        () => ann.updateFeature({ projectId, slug: 'f', body: { touches: ['x.ts'] } }),
        () => ann.claim({ projectId, body: { paths: ['x.ts'] } }),
        () => ann.releaseClaims({ projectId, body: {} }),
        () => ann.resumeFeature({ projectId, slug: 'f' }),
      ])
        expect(await refusal(call())).toMatchObject({ status: 410, code: 'SESSION_LOST' });
      const again = await terminal(lead, projectId);
      expect(await refusal(save(again))).toMatchObject({ code: 'FENCED', details: { heldBy: { sessionId: ben.sessionId } } });
      expect(await lead.getFeature({ projectId, slug: 'f' })).toMatchObject({ status: 'active', fence: resumed.fence });
      expect(await save(ben, { notes: 'mine now' })).toMatchObject({ engineerName: 'Mem', fence: resumed.fence ?? 0 });
    });

    test('all of it or nothing: what somebody took meanwhile is named, and a pick takes the rest', async () => {
      await die(ann);
      const other = await terminal(crew.member, projectId);
      await other.claim({ projectId, body: { paths: ['extra.ts'] } });
      const ben = await terminal(crew.member, projectId);
      expect(await refusal(ben.resumeFeature({ projectId, slug: 'f' }))).toMatchObject({ code: 'FILE_ALREADY_CLAIMED' });
      expect(await ben.myClaims({ projectId })).toEqual([]);
      const picked = await ben.pickFeature({ projectId, slug: 'f' });
      expect(picked).toMatchObject({ checkpoint: { fence: 2 }, left: { sessionId: ann.sessionId } });
    });

    test('what was begun is offered and picked first, whatever its lane', async () => {
      await lead.createFeature({ projectId, body: { slug: 'now', title: 'now', spec: '', lane: 'now' } });
      await lead.readyFeature({ projectId, slug: 'now' });
      await die(ann);
      await lead.moveOnRoadmap({ projectId, slug: 'f', body: { lane: 'later' } });
      expect(slugs(await lead.availableFeatures({ projectId }))).toEqual(['f', 'now']);
      const ben = await terminal(crew.member, projectId);
      expect(await ben.pickNext({ projectId })).toMatchObject({ slug: 'f', left: { sessionId: ann.sessionId } });
    });

    test('a parked feature is handed over the same way', async () => {
      await ann.endSession({ projectId, sessionId: ann.sessionId, body: { unlanded: ['f'] } });
      const parked = { checkpoint: { context: { gitCommit: 'c0ffee' } }, left: { ...left, sessionId: ann.sessionId } };
      expect((await lead.status({ projectId })).activeFeatures).toMatchObject([parked]);
      const ben = await terminal(crew.member, projectId);
      expect(await ben.resumeFeature({ projectId, slug: 'f' })).toMatchObject(parked);
      expect(await ben.resumeFeature({ projectId, slug: 'f' })).toMatchObject(parked);
      expect(await lead.getFeature({ projectId, slug: 'f' })).toMatchObject(parked);
      await ben.releaseFeature({ projectId, slug: 'f' });
      expect((await lead.getFeature({ projectId, slug: 'f' })).left).toBeUndefined();
    });
  });

  test('old ones are removed beyond what a feature keeps, the last one never', async () => {
    for (let n = 0; n < 5; n += 1) await save(ann, { notes: `n${n}` });
    const { db } = server.deps.database;
    const kept = async () => (await db.execute(`select notes from checkpoints where feature_id = '${featureId}' order by id`)) as unknown;
    const count = async () =>
      JSON.stringify(await kept())
        .match(/"n\d"/g)
        ?.join('');
    await server.deps.checkpoints.prune({ keepDays: 30, keepCount: 1 });
    expect(await count()).toBe('"n0""n1""n2""n3""n4"');
    await db.execute(`update checkpoints set created_at = created_at - interval '31 days' where feature_id = '${featureId}'`);
    await server.deps.checkpoints.prune({ keepDays: 30, keepCount: 2 });
    expect(await count()).toBe('"n3""n4"');
    const findable = await db.execute(`select body from search_entries where kind = 'checkpoint' and feature_id = '${featureId}'`);
    expect(JSON.stringify(findable).match(/"n\d"/g)?.toSorted().join('')).toBe('"n3""n4"');
    await server.deps.checkpoints.prune({ keepDays: 0, keepCount: 1 });
    expect(await count()).toBe('"n4"');
  });
});
