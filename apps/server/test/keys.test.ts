import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { rows } from '../src/engines/database/database.ts';
import { canRun, eventually, onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { createCrew, type Crew, raw, refusal } from './support.ts';

type Said = { type: string };

/** Follows a project with a key; `closed` becomes the code with which the server ends it. */
async function follow({ url }: TestServer, apiKey: string, projectId: string) {
  const state: { closed: number; joined: boolean } = { closed: 0, joined: false };
  const ws = new WebSocket(`${url.replace('http', 'ws')}/ws`, { headers: { authorization: `Bearer ${apiKey}` } } as never);
  ws.addEventListener('close', ({ code }) => (state.closed = code));
  ws.addEventListener('message', ({ data }) => {
    if ((JSON.parse(String(data)) as Said).type === 'joined') state.joined = true;
  });
  ws.addEventListener('open', () => ws.send(JSON.stringify({ type: 'join', projectId })));
  await eventually('it is in', () => state.joined || state.closed > 0);
  return state;
}

onEachEngineSet('keys', (set) => {
  let server: TestServer;
  let crew: Crew;

  beforeAll(async () => {
    server = await startServer(set);
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());

  const using = (apiKey: string) => server.anonymous.with({ apiKey, retries: 0 });
  const codeOf = async (call: Promise<unknown>) => (await refusal(call)).code;
  async function stream(apiKey: string, projectId: string) {
    const state = { over: false };
    const { body } = await fetch(`${server.url}/api/projects/${projectId}/events`, {
      headers: { authorization: `Bearer ${apiKey}`, accept: 'text/event-stream' },
    });
    void (async () => {
      for await (const _ of body ?? []);
      state.over = true;
    })().catch(() => (state.over = true));
    return state;
  }

  test('are made, listed and shown once; what they begin with tells what they are for', async () => {
    const projectId = await crew.project();
    const made = await Promise.all([
      crew.lead.createKey({ body: { name: 'laptop' } }),
      crew.lead.createKey({ body: { name: 'agents', kind: 'agent', projectId } }),
      crew.lead.createKey({ body: { name: 'ci', kind: 'service', expiresInHours: null } }),
    ]);
    expect(made.map(({ apiKey, prefix }) => [apiKey.slice(0, 4), apiKey.startsWith(prefix)])).toEqual([
      ['nxp_', true],
      ['nxa_', true],
      ['nxs_', true],
    ]);
    expect(made.map(({ scopes }) => scopes)).toEqual([['read', 'claim', 'write', 'manage'], ['read', 'claim', 'write'], ['read']]);
    const hours = made.map(({ expiresAt, createdAt }) => expiresAt && (Date.parse(expiresAt) - Date.parse(createdAt)) / 3_600_000);
    expect(hours).toEqual([90 * 24, 24, null]);
    const first = await crew.lead.listKeys({ query: { limit: 2 } });
    const rest = await crew.lead.listKeys({ query: { cursor: first.nextCursor ?? '' } });
    const listed = [...first.items, ...rest.items];
    expect(new Set(listed.map(({ id }) => id))).toEqual(new Set([...made.map(({ id }) => id), (await crew.lead.me()).key.id]));
    expect(JSON.stringify(listed)).not.toContain('apiKey');
    for (const { apiKey, id } of made) expect((await using(apiKey).me()).key.id).toBe(id);
  });

  test('a retry answers the same key, which no table has', async () => {
    const call = () => crew.lead.createKey({ body: { name: 'once' } }, { idempotencyKey: 'make-one-key' });
    const [one, other] = [await call(), await call()];
    expect(other).toEqual(one);
    const turn = () => crew.lead.rotateKey({ keyId: one.id }, { idempotencyKey: 'turn-one-key' });
    const [turned, again] = [await turn(), await turn()];
    expect(again).toEqual(turned);
    expect(turned.apiKey).not.toBe(one.apiKey);
    for (const key of [one, turned]) expect((await using(key.apiKey).me()).key.id).toBe(one.id);
    const stored = await rows<{ text: string }>(server.deps.database.db, sql`select i::text as text from idempotency i`);
    for (const { text } of stored) for (const { apiKey } of [one, turned]) expect(text).not.toContain(apiKey.slice(16, 46));
  });

  test('do what their scopes say, and nothing else', async () => {
    const projectId = await crew.project();
    await readyFeature(crew.lead, projectId, 'f');
    const read = using((await crew.lead.createKey({ body: { name: 'r', scopes: ['read'] } })).apiKey);
    const claim = using((await crew.lead.createKey({ body: { name: 'c', scopes: ['claim'] } })).apiKey);
    await read.getFeature({ projectId, slug: 'f' });
    expect(await refusal(read.pickFeature({ projectId, slug: 'f' }))).toMatchObject({
      code: 'FORBIDDEN',
      details: { scopes: ['read'], needed: 'claim' },
    });
    await claim.pickFeature({ projectId, slug: 'f' });
    expect(await codeOf(claim.getFeature({ projectId, slug: 'f' }))).toBe('FORBIDDEN');
    expect(await codeOf(claim.createFeature({ projectId, body: { slug: 'g', title: 'g', spec: '' } }))).toBe('FORBIDDEN');
    expect((await follow(server, claim.options.apiKey ?? '', projectId)).joined).toBe(false);
  });

  test('one that is bound to a project knows of no other, and of nothing outside', async () => {
    const [projectId, elsewhere] = [await crew.project(), await crew.project()];
    const { sessionId } = await terminal(crew.lead, elsewhere);
    const bound = using((await crew.lead.createKey({ body: { name: 'b', projectId, scopes: ['read', 'claim', 'manage'] } })).apiKey);
    await bound.getProject({ projectId });
    expect((await bound.listProjects()).map(({ id }) => id)).toEqual([projectId]);
    const [foreign, random] = await Promise.all(
      [elsewhere, crypto.randomUUID()].map((id) => raw(server, 'GET', `/api/projects/${id}`, { key: bound.options.apiKey })),
    );
    expect(foreign?.status).toBe(404);
    expect(foreign?.json?.error?.message).toBe(random?.json?.error?.message ?? '');
    expect((await bound.heartbeats({ body: { sessions: [sessionId] } })).sessions[0]?.state).toBe('unknown');
    expect(await codeOf(bound.createProject({ body: { name: 'P', slug: 'p' } }))).toBe('FORBIDDEN');
    expect(await codeOf(bound.wsTicket({ body: { projectId: elsewhere } }))).toBe('NOT_FOUND');
    expect((await bound.listKeys()).items.map(({ name }) => name)).toEqual(['b']);
    expect(await codeOf(bound.createKey({ body: { name: 'out', projectId: elsewhere } }))).toBe('NOT_FOUND');
    expect(await codeOf(bound.revokeKey({ keyId: (await crew.lead.me()).key.id }))).toBe('NOT_FOUND');
    expect((await bound.createKey({ body: { name: 'in', scopes: ['read'] } })).projectId).toBe(projectId);
  });

  test('none makes, nor gets by rotating, a key that may do more than itself', async () => {
    const projectId = await crew.project();
    const manager = using((await crew.lead.createKey({ body: { name: 'm', scopes: ['manage'] } })).apiKey);
    const { id } = (await crew.lead.me()).key;
    expect(await codeOf(manager.createKey({ body: { name: 'x', scopes: ['write'] } }))).toBe('FORBIDDEN');
    expect(await codeOf(manager.rotateKey({ keyId: id }))).toBe('FORBIDDEN');
    expect((await manager.createKey({ body: { name: 'x' } })).scopes).toEqual(['manage']);
    for (const body of [
      { name: 'x', kind: 'agent' as const },
      { name: 'x', kind: 'agent' as const, projectId, scopes: ['manage' as const] },
    ])
      expect(await codeOf(crew.lead.createKey({ body }))).toBe('VALIDATION_ERROR');
    expect(await codeOf(crew.stranger.createKey({ body: { name: 'x', kind: 'agent', projectId } }))).toBe('NOT_FOUND');
    expect(await codeOf(crew.stranger.revokeKey({ keyId: id }))).toBe('NOT_FOUND');
  });

  test('a rotated one keeps its old secret for the overlap, and its sessions and sockets', async () => {
    const projectId = await crew.project();
    const old = await crew.lead.createKey({ body: { name: 'r' } });
    const socket = await follow(server, old.apiKey, projectId);
    await using(old.apiKey).claim({ projectId, body: { paths: ['a.ts'] } });
    const next = await crew.lead.rotateKey({ keyId: old.id, body: { overlapHours: 1 } });
    expect(next.oldSecretUntil).not.toBeNull();
    expect((await using(old.apiKey).me()).key.id).toBe(old.id);
    expect((await using(next.apiKey).myClaims({ projectId })).map(({ filePath }) => filePath)).toEqual(['a.ts']);
    expect(socket.closed).toBe(0);
    const last = await crew.lead.rotateKey({ keyId: old.id, body: { overlapHours: 0 } });
    expect(last.oldSecretUntil).toBeNull();
    await eventually('its sockets are closed', () => socket.closed === 4401);
    for (const { apiKey } of [old, next]) expect(await codeOf(using(apiKey).me())).toBe('INVALID_API_KEY');
    await using(last.apiKey).me();
  });

  test('an old secret is good no longer than its overlap', async () => {
    const old = await crew.lead.createKey({ body: { name: 'r' } });
    await crew.lead.rotateKey({ keyId: old.id });
    await server.deps.database.db.execute(sql`update api_keys set old_until = now() - interval '1 second' where id = ${old.id}`);
    expect(await codeOf(using(old.apiKey).me())).toBe('INVALID_API_KEY');
  });

  describe('a revoked one', () => {
    test('is refused at once, and its sockets and streams are closed', async () => {
      const projectId = await crew.project();
      const key = await crew.lead.createKey({ body: { name: 'v' } });
      const [socket, events] = await Promise.all([follow(server, key.apiKey, projectId), stream(key.apiKey, projectId)]);
      const revoked = await crew.lead.revokeKey({ keyId: key.id });
      expect(revoked.revokedAt).not.toBeNull();
      expect(await codeOf(using(key.apiKey).me())).toBe('INVALID_API_KEY');
      await eventually('its socket and its stream are closed', () => socket.closed === 4401 && events.over);
      expect(await crew.lead.revokeKey({ keyId: key.id })).toEqual(revoked);
      expect(await codeOf(crew.lead.rotateKey({ keyId: key.id }))).toBe('INVALID_STATUS_TRANSITION');
      expect((await crew.lead.listKeys()).items.map(({ id }) => id)).not.toContain(key.id);
      expect((await crew.lead.listKeys({ query: { over: 'true' } })).items.map(({ id }) => id)).toContain(key.id);
    });

    test('is refused by a request that began to look at it before', async () => {
      const key = await crew.lead.createKey({ body: { name: 'v' } });
      const asked = Promise.all(
        Array.from({ length: 8 }, () =>
          using(key.apiKey)
            .me()
            .catch(() => undefined),
        ),
      );
      await Promise.all([asked, crew.lead.revokeKey({ keyId: key.id })]);
      expect(await codeOf(using(key.apiKey).me())).toBe('INVALID_API_KEY');
    });
  });

  test('tell when they were last used, in one write for all of them', async () => {
    const keys = await Promise.all([1, 2].map((at) => crew.lead.createKey({ body: { name: `used ${at}` } })));
    await Promise.all(keys.flatMap(({ apiKey }) => [using(apiKey).me(), using(apiKey).me()]));
    await server.deps.usage.flush();
    const listed = (await crew.lead.listKeys({ query: { limit: 100 } })).items.filter(({ id }) => keys.some((key) => key.id === id));
    expect(listed.map(({ lastUsedAt }) => lastUsedAt === null)).toEqual([false, false]);
    await Promise.all(keys.map(({ apiKey }) => using(apiKey).me()));
    await server.deps.usage.flush();
    const [again] = (await crew.lead.listKeys({ query: { limit: 100 } })).items.filter(({ id }) => id === listed[0]?.id);
    expect(again?.lastUsedAt).toBe(listed[0]?.lastUsedAt ?? null);
  });
});

describe.skipIf(!canRun('team'))('keys at two replicas', () => {
  test('what is revoked or removed at one is refused at the other, its sockets there closed', async () => {
    const here = await startServer('team');
    const { database } = here.deps.config;
    const there = await startServer('team', database.kind === 'postgres' ? { DATABASE_URL: database.url } : {});
    const { projectId, lead } = await here.project();
    const { apiKey, id } = await lead.createKey({ body: { name: 'v' } });
    const member = await here.engineer();
    await lead.addMember({ projectId, body: { engineerId: member.engineer.id } });
    const at = (key: string | undefined) => there.anonymous.with({ apiKey: key, retries: 0 });
    await Promise.all([at(apiKey).me(), at(member.options.apiKey).getProject({ projectId })]);
    const [socket, theirs] = await Promise.all([follow(there, apiKey, projectId), follow(there, member.options.apiKey ?? '', projectId)]);
    await Promise.all([lead.revokeKey({ keyId: id }), lead.removeMember({ projectId, engineerId: member.engineer.id })]);
    await eventually('both are out', () => socket.closed === 4401 && theirs.closed === 4403);
    expect((await refusal(at(apiKey).me())).code).toBe('INVALID_API_KEY');
    expect((await refusal(at(member.options.apiKey).getProject({ projectId }))).code).toBe('NOT_FOUND');
    await there.stop();
    await here.stop();
  });
});
