import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import type { Request } from '@nexus/contract';
import { eventually, onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { auditLedger } from './lib/audit.ts';
import { createCrew, type Crew, eventsOf, refusal } from './support.ts';

type Terminal = Client & { sessionId: string };
const CLEAN = 2;

onEachEngineSet('requests', (set) => {
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  let older: Terminal;
  let younger: Terminal;

  beforeAll(async () => {
    server = await startServer(set, { YIELD_CLEAN_SECONDS: String(CLEAN), YIELD_REFUSE_SECONDS: '1' });
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    projectId = await crew.project();
    older = await terminal(crew.lead, projectId);
    younger = await terminal(crew.member, projectId);
  });

  const claim = (client: Client, ...paths: string[]) => client.claim({ projectId, body: { paths } });
  const ask = (client: Client, ...paths: string[]) => client.requestPaths({ projectId, body: { paths, reason: 'one line' } });
  const held = async (client: Client) => (await client.myClaims({ projectId })).map(({ filePath }) => filePath);
  const yieldPaths = (client: Client, paths: string[], keep: string[] = []) => client.yieldPaths({ projectId, body: { paths, keep } });
  const refuse = (client: Client, ...paths: string[]) => client.refuseRequests({ projectId, body: { paths, reason: 'not yet' } });
  const byId = async ({ id }: Request) => (await crew.lead.listRequests({ projectId })).find((one) => one.id === id);
  /** What a keeper would be told, and would tell. */
  const beat = async (agent: Terminal, dirty: string[] = []) => {
    const report = { session: agent.sessionId, paths: dirty, more: false };
    const { sessions } = await agent.heartbeats({ body: { sessions: [agent.sessionId], dirty: [report] } });
    return sessions[0]?.requests ?? [];
  };

  test('the holder hears of it with its next beat, and who asked of the answer', async () => {
    await readyFeature(crew.lead, projectId, 'auth', ['src/auth/']);
    await older.pickFeature({ projectId, slug: 'auth' });
    const { free, requests } = await ask(younger, 'src/auth/token.ts', 'docs/');
    expect(free).toEqual(['docs/']);
    expect(requests).toMatchObject([
      {
        path: 'src/auth/token.ts',
        heldPath: 'src/auth/',
        reason: 'one line',
        state: 'open',
        yieldsAt: null,
        givesBack: null,
        askedBy: { sessionId: younger.sessionId, engineerName: 'Mem' },
        holder: { sessionId: older.sessionId, featureSlug: 'auth' },
      },
    ]);
    expect((await ask(younger, 'src/auth/token.ts')).requests[0]?.id).toBe(requests[0]?.id);
    expect((await beat(older)).map(({ state }) => state)).toEqual(['open']);

    const [refused] = await refuse(older, 'src/auth/token.ts');
    expect(refused).toMatchObject({ state: 'refused', note: 'not yet' });
    expect(await beat(younger)).toMatchObject([{ state: 'refused', note: 'not yet' }]);

    const [again] = (await ask(younger, 'src/auth/token.ts')).requests;
    expect(again?.id).not.toBe(refused?.id);
    const given = await yieldPaths(older, ['src/auth/token.ts'], ['src/auth/login.ts']);
    expect(given).toMatchObject({ released: ['src/auth/'], kept: ['src/auth/login.ts'], requests: [{ id: again?.id, state: 'yielded' }] });
    expect(await held(older)).toEqual(['src/auth/login.ts']);
    await claim(younger, 'src/auth/token.ts');
    expect((await beat(younger)).map(({ state }) => state)).toEqual(['refused', 'yielded']);
    const told = (await eventsOf(crew.lead, projectId)).filter(({ type }) => type.startsWith('path_') || type.startsWith('request_'));
    expect(told.map(({ type, data }) => [type, data['answer'] ?? null])).toEqual([
      ['path_requested', null],
      ['request_answered', 'refused'],
      ['path_requested', null],
      ['request_answered', 'yielded'],
    ]);
  });

  test('what is given back goes to who waits for it', async () => {
    await claim(older, 'a.ts', 'b.ts');
    const wait = await younger.joinQueue({ projectId, body: { paths: ['a.ts'] } });
    await ask(younger, 'a.ts');
    await yieldPaths(older, ['a.ts']);
    await eventually('it is granted', async () => (await crew.lead.getWait({ projectId, waitId: wait.id })).state === 'granted');
    expect([await held(older), await held(younger)]).toEqual([['b.ts'], ['a.ts']]);
    expect(await auditLedger(server.deps.database, projectId)).toEqual([]);
  });

  test('two that ask each other: the younger session gives back, and cannot refuse', async () => {
    await claim(older, 'a.ts');
    await claim(younger, 'b.ts');
    const [first] = (await ask(older, 'b.ts')).requests;
    expect(first?.givesBack).toBeNull();
    const [second] = (await ask(younger, 'a.ts')).requests;
    expect(second?.givesBack).toBe(younger.sessionId);
    expect((await beat(younger)).map(({ givesBack }) => givesBack)).toEqual([younger.sessionId, younger.sessionId]);
    expect((await refusal(refuse(younger, 'b.ts'))).code).toBe('INVALID_STATUS_TRANSITION');
    await yieldPaths(younger, ['b.ts']);
    await claim(older, 'b.ts');
    expect((await refuse(older, 'a.ts'))[0]?.state).toBe('refused');
  });

  test('asked by twelve at once, yielded and refused at once: each has one answer, and nobody holds it twice', async () => {
    await claim(older, 'a.ts');
    const askers = await Promise.all(Array.from({ length: 12 }, () => terminal(crew.member, projectId)));
    await Promise.all(askers.flatMap((asker) => [ask(asker, 'a.ts'), ask(asker, 'a.ts')]));
    expect((await crew.lead.listRequests({ projectId })).filter(({ state }) => state === 'open')).toHaveLength(12);
    await Promise.all(Array.from({ length: 8 }, (_, turn) => (turn % 2 ? yieldPaths(older, ['a.ts']) : refuse(older, 'a.ts'))));
    const answers = (await eventsOf(crew.lead, projectId)).filter(({ type }) => type === 'request_answered');
    expect(new Set(answers.map(({ data }) => data['requestId'])).size).toBe(12);
    expect(answers).toHaveLength(12);
    const got = await Promise.allSettled(askers.map((asker) => claim(asker, 'a.ts')));
    expect(got.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await auditLedger(server.deps.database, projectId)).toEqual([]);
  });

  test('a parked hold is given at once to who asks', async () => {
    await readyFeature(crew.lead, projectId, 'auth', ['src/']);
    await older.pickFeature({ projectId, slug: 'auth' });
    await crew.lead.endSession({ projectId, sessionId: older.sessionId, body: { unlanded: ['auth'] } });
    expect(await ask(younger, 'src/a.ts')).toEqual({ free: ['src/a.ts'], requests: [] });
    expect(await crew.lead.getFeature({ projectId, slug: 'auth' })).toMatchObject({ status: 'ready', interrupted: true });
    await claim(younger, 'src/a.ts');
  });

  test('a claim that is clean for long yields by itself, unless refused; one that is edited does not', async () => {
    await claim(older, 'clean.ts', 'edited.ts', 'kept.ts');
    let edited = ['edited.ts'];
    const beats = setInterval(() => void beat(older, edited).catch(() => undefined), 200);
    try {
      await Bun.sleep(CLEAN * 1000);
      const asked = (await ask(younger, 'clean.ts', 'edited.ts', 'kept.ts')).requests;
      expect(asked).toHaveLength(3);
      const [clean, dirty, kept] = asked;
      if (!clean || !dirty || !kept) throw new Error('unreachable');
      await refuse(older, 'kept.ts');
      await eventually('the clock runs', async () => (await byId(clean))?.yieldsAt !== null);
      await eventually('it is given back', async () => (await byId(clean))?.state === 'yielded');
      expect((await byId(clean))?.note).toContain('uncommitted');
      expect(await byId(dirty)).toMatchObject({ state: 'open', yieldsAt: null });
      expect(await held(older)).toEqual(['edited.ts', 'kept.ts']);
      edited = [];
      await eventually('what was committed yields as well', async () => (await byId(dirty))?.state === 'yielded');
    } finally {
      clearInterval(beats);
    }
  });

  test('a claim of a session whose worktree nobody looks at never yields by itself', async () => {
    await claim(older, 'a.ts');
    await Bun.sleep(CLEAN * 1000);
    const [asked] = (await ask(younger, 'a.ts')).requests;
    if (!asked) throw new Error('unreachable');
    await Bun.sleep(2000);
    expect(await byId(asked)).toMatchObject({ state: 'open', yieldsAt: null });
  });

  test('the project itself asks for a brief path that is held for long, once', async () => {
    await crew.lead.updateProject({ projectId, body: { policy: { brief: ['bun.lock'] } } });
    await claim(older, 'bun.lock', 'a.ts');
    let told: Request[] = [];
    await eventually('the holder is asked', async () => (told = await beat(older, ['bun.lock'])).length > 0);
    expect(told).toMatchObject([{ path: 'bun.lock', askedBy: null, state: 'open' }]);
    await yieldPaths(older, ['bun.lock']);
    expect(await beat(older)).toMatchObject([{ state: 'yielded' }]);
  });

  test('it ends with the claim, and with whoever asked', async () => {
    await claim(older, 'a.ts', 'b.ts');
    const [a] = (await ask(younger, 'a.ts')).requests;
    const [b] = (await ask(younger, 'b.ts')).requests;
    if (!a || !b) throw new Error('unreachable');
    await older.releaseClaims({ projectId, body: { paths: ['a.ts'] } });
    await eventually('it is free', async () => (await byId(a))?.state === 'freed');
    await crew.member.endSession({ projectId, sessionId: younger.sessionId });
    expect((await byId(b))?.state).toBe('withdrawn');
  });

  test('what is kept may not be what is given back, and nobody answers for another', async () => {
    await claim(older, 'src/');
    const [asked] = (await ask(younger, 'src/a.ts')).requests;
    expect((await refusal(yieldPaths(older, ['src/a.ts'], ['src/a.ts']))).code).toBe('VALIDATION_ERROR');
    expect(await yieldPaths(younger, ['src/'])).toEqual({ released: [], kept: [], requests: [] });
    expect(await refuse(younger, 'src/')).toEqual([]);
    if (asked) expect((await byId(asked))?.state).toBe('open');
  });
});
