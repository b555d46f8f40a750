import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { eventually, onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { auditAnswers, auditIndex, auditLedger } from './lib/audit.ts';
import { type Crew, createCrew, eventsOf, raw, refusal } from './support.ts';

onEachEngineSet('an allocation', (set) => {
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  let ann: Client & { sessionId: string };
  let bob: Client & { sessionId: string };
  beforeAll(async () => {
    server = await startServer(set, { REGISTRATION: 'open' });
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    projectId = await crew.project();
    ann = await terminal(crew.lead, projectId);
    bob = await terminal(crew.member, projectId);
  });

  type Ask = { name?: string; from?: number; to?: number; exclude?: number[]; machine?: string; shared?: boolean };
  const port = (who: Client, ask: Ask = {}) => who.allocate({ projectId, body: { kind: 'port', ...ask } });
  const next = (who: Client, name = 'migrations', startAt?: number) =>
    who.allocate({ projectId, body: { kind: 'number', name, ...(startAt === undefined ? {} : { startAt }) } });
  const held = async () => (await crew.lead.listClaims({ projectId })).map(({ filePath }) => filePath);
  const sound = async () => {
    expect(await auditLedger(server.deps.database, projectId)).toEqual([]);
    expect(await auditAnswers(crew.lead, projectId)).toEqual([]);
    expect(await auditIndex(crew.lead, projectId)).toEqual([]);
  };

  test('32 sessions that ask at once get 32 different ports, each held by the session that got it', async () => {
    const crowd = await Promise.all(Array.from({ length: 32 }, () => terminal(crew.lead, projectId)));
    const got = await Promise.all(crowd.map((who) => port(who, { machine: 'm' })));
    expect(got.map(({ number }) => number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 32 }, (_, i) => 3000 + i));
    const claims = await crew.lead.listClaims({ projectId });
    for (const [position, who] of crowd.entries())
      expect(claims.filter(({ sessionId }) => sessionId === who.sessionId).map(({ filePath }) => filePath)).toEqual([
        `res:port/${got[position]?.number}@m`,
      ]);
    await sound();
  });

  test('32 sessions that ask at once get 32 different numbers, without a gap', async () => {
    const crowd = await Promise.all(Array.from({ length: 32 }, () => terminal(crew.lead, projectId)));
    const got = await Promise.all(crowd.map((who) => next(who, 'migrations', 42)));
    expect(got.map(({ number }) => number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 32 }, (_, i) => 42 + i));
    await sound();
  });

  test('of many that ask for the last free port one gets it, and the others are told who holds what', async () => {
    const crowd = await Promise.all(Array.from({ length: 16 }, () => terminal(crew.lead, projectId)));
    const answers = await Promise.allSettled(crowd.map((who) => port(who, { from: 4000, to: 4000 })));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await refusal(port(bob, { from: 4000, to: 4000 }))).toMatchObject({
      status: 409,
      code: 'RANGE_EXHAUSTED',
      details: { from: 4000, to: 4000, held: [{ resource: 'res:port/4000', engineerName: 'Lead' }] },
    });
    await sound();
  });

  test('the same name is the same port in a session, another name or session another', async () => {
    const first = await port(ann, { name: 'Web' });
    expect(first).toMatchObject({
      number: 3000,
      name: 'web',
      fresh: true,
      state: 'held',
      resource: 'res:port/3000',
      sessionId: ann.sessionId,
    });
    expect(await port(ann, { name: 'web' })).toEqual({ ...first, fresh: false });
    const statuses = await Promise.all(
      ['web', 'db'].map((name) =>
        raw(server, 'POST', `/api/projects/${projectId}/allocations`, {
          key: crew.lead.options.apiKey,
          headers: { 'x-nexus-session': ann.sessionId },
          body: { kind: 'port', name },
        }),
      ),
    );
    expect(statuses.map(({ status }) => status)).toEqual([200, 201]);
    expect((await port(bob, { name: 'web' })).number).toBe(3002);
    const child = await terminal(crew.lead, projectId, { parentId: ann.sessionId });
    expect((await port(child, { name: 'web' })).number).toBe(3003);
    // It is a claim of the ad hoc hold, like any other.
    expect(await held()).toEqual([3000, 3001, 3002, 3003].map((number) => `res:port/${number}`));
    expect(await refusal(bob.claim({ projectId, body: { paths: ['res:port/3000'] } }))).toMatchObject({
      details: { conflicts: [{ claimedBy: { sessionId: ann.sessionId } }] },
    });
    expect((await crew.lead.why({ projectId, query: { path: 'res:port/3000' } })).heldBy).toHaveLength(1);
  });

  test('each machine has its own ports; a shared one, and one claimed by hand, is nobody’s else anywhere', async () => {
    const one = await terminal(crew.lead, projectId, { metadata: { machine: 'One' } });
    const two = await terminal(crew.lead, projectId, { metadata: { machine: 'two' } });
    expect((await port(one)).resource).toBe('res:port/3000@one');
    expect((await port(two)).resource).toBe('res:port/3000@two');
    expect((await port(bob, { machine: 'one' })).resource).toBe('res:port/3001@one');
    expect((await port(two, { name: 'all', shared: true })).resource).toBe('res:port/3002');
    await ann.claim({ projectId, body: { paths: ['res:port/3003'] } });
    expect((await port(one, { name: 'more' })).resource).toBe('res:port/3004@one');
    // What is no name of a machine names none.
    const odd = await terminal(crew.lead, projectId, { metadata: { machine: 'a b/c' } });
    expect((await port(odd)).resource).toBe('res:port/3005');
    await sound();
  });

  test('what the machine uses otherwise is passed over, and a name’s earlier port is given back for it', async () => {
    const first = await port(ann, { exclude: [3000, 3001] });
    expect(first.number).toBe(3002);
    const second = await port(ann, { exclude: [3002, 3000, 3001] });
    expect(second).toMatchObject({ number: 3003, fresh: true, fence: first.fence });
    expect(await held()).toEqual(['res:port/3003']);
    expect((await port(ann, { from: 5000, to: 5001 })).number).toBe(5000);
    expect(await held()).toEqual(['res:port/5000']);
    const types = (await eventsOf(crew.lead, projectId)).map(({ type }) => type).filter((type) => /files|resource/.test(type));
    expect(types).toEqual([
      'files_claimed',
      'resource_allocated',
      ...['files_claimed', 'files_released', 'resource_allocated'],
      ...['files_claimed', 'files_released', 'resource_allocated'],
    ]);
    await sound();
  });

  test('a port is free again when it is given back, or when its session is over', async () => {
    await port(ann);
    await ann.releaseClaims({ projectId, body: { paths: ['res:port/3000'] } });
    expect((await port(bob)).number).toBe(3000);
    // The name is free as well.
    expect((await port(ann)).number).toBe(3001);
    await bob.endSession({ projectId, sessionId: bob.sessionId });
    const carl = await terminal(crew.member, projectId);
    expect((await port(carl)).number).toBe(3000);
    await crew.lead.endSession({ projectId, sessionId: ann.sessionId, body: { reason: 'died' } });
    expect((await port(carl, { name: 'b' })).number).toBe(3001);
    expect(await refusal(port(bob))).toMatchObject({ code: 'SESSION_LOST' });
    await sound();
  });

  test('a port that somebody waits for is not given to those who come later', async () => {
    await readyFeature(ann, projectId, 'db', ['res:port/3000', 'src/']);
    await ann.claim({ projectId, body: { paths: ['src/'] } });
    await bob.joinQueue({ projectId, body: { featureSlug: 'db' } });
    expect((await port(ann)).number).toBe(3001);
    await ann.releaseClaims({ projectId, body: { paths: ['src/'] } });
    await eventually('the feature is given', async () => (await held()).includes('res:port/3000'));
    await sound();
  });

  test('who holds a port may wait for paths, keeps both, and loses the place for a path taken elsewhere', async () => {
    await port(ann);
    await bob.claim({ projectId, body: { paths: ['src/', 'lib/'] } });
    const wait = (path: string) => ann.joinQueue({ projectId, body: { paths: [path] } });
    const state = async (waitId: string) => (await ann.getWait({ projectId, waitId })).state;
    const first = await wait('src/');
    expect(first.state).toBe('waiting');
    // Another port leaves the place; the port and what was waited for are one hold.
    await port(ann, { name: 'second' });
    expect(await state(first.id)).toBe('waiting');
    await bob.releaseClaims({ projectId, body: { paths: ['src/'] } });
    await eventually('it is granted', async () => (await state(first.id)) === 'granted');
    expect(new Set((await ann.myClaims({ projectId })).map(({ fence }) => fence)).size).toBe(1);
    expect(await refusal(wait('lib/'))).toMatchObject({ code: 'WAIT_WHILE_HOLDING' });
    await ann.releaseClaims({ projectId, body: { paths: ['src/'] } });
    const second = await wait('lib/');
    await ann.claim({ projectId, body: { paths: ['docs/'] } });
    expect(await state(second.id)).toBe('left');
    await sound();
  });

  test('for a resource waits only who holds nothing: two that wait for each other’s port would wait for ever', async () => {
    await port(ann);
    await port(bob);
    expect(await refusal(ann.joinQueue({ projectId, body: { paths: ['res:port/3001'] } }))).toMatchObject({ code: 'WAIT_WHILE_HOLDING' });
    const carl = await terminal(crew.lead, projectId);
    const wait = await carl.joinQueue({ projectId, body: { paths: ['res:port/3001'] } });
    expect(wait.state).toBe('waiting');
    // Taking another while it waits for one leaves the place, as a path would.
    await port(carl);
    expect((await carl.getWait({ projectId, waitId: wait.id })).state).toBe('left');
  });

  test('a number is never given again, whatever becomes of who got it, and a counter only grows', async () => {
    expect((await next(ann)).number).toBe(1);
    expect(await next(ann)).toMatchObject({ number: 2, state: 'given', resource: null, fence: null, fresh: true });
    await ann.endSession({ projectId, sessionId: ann.sessionId });
    expect((await next(bob, 'MIGRATIONS')).number).toBe(3);
    expect((await next(bob, 'migrations', 42)).number).toBe(42);
    expect((await next(bob, 'migrations', 7)).number).toBe(43);
    expect((await next(bob, 'adr', 0)).number).toBe(0);
    expect(await held()).toEqual([]);
    const other = await crew.project();
    expect((await crew.lead.allocate({ projectId: other, body: { kind: 'number', name: 'migrations' } })).number).toBe(1);
  });

  test('whoever claims a counter has it alone', async () => {
    await ann.claim({ projectId, body: { paths: ['res:number/migrations'] } });
    expect((await next(ann)).number).toBe(1);
    expect(await refusal(next(bob))).toMatchObject({
      code: 'FILE_ALREADY_CLAIMED',
      details: { conflicts: [{ heldPath: 'res:number/migrations', claimedBy: { sessionId: ann.sessionId } }] },
    });
    expect((await next(bob, 'adr')).number).toBe(1);
  });

  test('a retry under the same key is the same number, and the key is for that call alone', async () => {
    const once = (name: string) => ann.allocate({ projectId, body: { kind: 'number', name } }, { idempotencyKey: 'alloc-once-1' });
    const all = await Promise.all([once('a'), once('a'), once('a')]);
    expect(all.map(({ number }) => number)).toEqual([1, 1, 1]);
    expect(await refusal(once('b'))).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    expect((await next(ann, 'a')).number).toBe(2);
  });

  test('the list tells who got what, newest first and page by page; strangers see none of it', async () => {
    await next(ann, 'adr');
    await port(ann, { name: 'web' });
    await port(bob, { name: 'web' });
    await bob.releaseClaims({ projectId });
    const list = async (query: Parameters<Client['listAllocations']>[0]['query'] = {}) =>
      (await crew.readonly.listAllocations({ projectId, query })).items.map(({ kind, number, state }) => [kind, number, state]);
    expect(await list()).toEqual([
      ['port', 3001, 'free'],
      ['port', 3000, 'held'],
      ['number', 1, 'given'],
    ]);
    expect(await list({ state: 'held' })).toEqual([['port', 3000, 'held']]);
    expect(await list({ state: 'free' })).toEqual([['port', 3001, 'free']]);
    expect(await list({ kind: 'number' })).toEqual([['number', 1, 'given']]);
    expect(await list({ name: 'WEB', state: 'given' })).toEqual([]);
    const first = await crew.lead.listAllocations({ projectId, query: { limit: 2 } });
    expect(first.hasMore).toBe(true);
    expect(await list({ limit: 2, cursor: first.nextCursor ?? '' })).toEqual([['number', 1, 'given']]);
    expect(await refusal(list({ cursor: 'nonsense' }))).toMatchObject({ status: 400 });
    expect(await refusal(crew.stranger.listAllocations({ projectId }))).toMatchObject({ status: 404 });
    expect(await refusal(next(crew.readonly))).toMatchObject({ code: 'INSUFFICIENT_ROLE' });
    // The same port under the same name again is another entry, and only that one is held.
    await ann.releaseClaims({ projectId });
    await port(ann, { name: 'web' });
    expect(await list({ state: 'held' })).toEqual([['port', 3000, 'held']]);
  });

  test('what makes no sense is refused, and a bare client acts in its default session', async () => {
    for (const body of [
      { kind: 'port', from: 4000, to: 3000 },
      { kind: 'port', from: 0 },
      { kind: 'port', name: 'a/b' },
      { kind: 'port', machine: 'a@b' },
      { kind: 'number' },
      { kind: 'number', name: 'n', startAt: -1 },
      { kind: 'number', name: 'n', startAt: 1e16 },
      { kind: 'slot', name: 'n' },
      { kind: 'number', name: 'n', from: 1 },
    ])
      expect(await refusal(ann.allocate({ projectId, body: body as never }))).toMatchObject({ status: 400, code: 'VALIDATION_ERROR' });
    const bare = await crew.member.allocate({ projectId, body: { kind: 'port' } });
    expect(bare).toMatchObject({ number: 3000, agent: 'default' });
    expect(await crew.member.allocate({ projectId, body: { kind: 'port' } })).toEqual({ ...bare, fresh: false });
  });
});
