import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { type Client, NexusError } from '@nexus/client';
import type { FeedEvent } from '@nexus/contract';
import type { Database } from '../src/engines/database/database.ts';
import { openPostgres } from '../src/engines/database/postgres.ts';
import { hasRedisServer, type PrivateRedis, privateRedis } from '../src/engines/private-redis.suite.ts';
import { eventually, migrations, people, readyFeature, terminal } from './harness.ts';
import { auditHistory } from './lib/audit-history.ts';
import { auditAnswers, auditIndex, auditLedger } from './lib/audit.ts';
import { keepalive, type Keepalive } from './lib/keepalive.ts';
import { hasPostgresPrograms, type PrivatePostgres, privatePostgres } from './lib/private-postgres.ts';
import { type Restartable, restartableServer } from './lib/restartable.ts';
import { overlappingFeatures, startWorkload, type Workload } from './lib/workload.ts';

const TTL = 3;
const GRACE = 1;
/** Longer than a silent session lives. */
const LONG = (TTL + GRACE) * 1000 + 1000;
/** A silent session is lost by then, once leases count again; the rest is for a busy machine. */
const LOST_WITHIN = 2 * (TTL + GRACE) * 1000 + 10_000;

describe.skipIf(!hasPostgresPrograms || !hasRedisServer)('outages (team)', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'nexus-outages-'));
  let pg: PrivatePostgres;
  let redis: PrivateRedis;
  let servers: [Restartable, Restartable];
  let lead: Client;
  let ledger: Database;
  let keeper: Keepalive;

  beforeAll(async () => {
    [pg, redis] = await Promise.all([privatePostgres(), privateRedis()]);
    await redis.start();
    const env = {
      NEXUS_DATA_DIR: dataDir,
      DATABASE_URL: pg.url,
      REDIS_URL: redis.url,
      LEASE_TTL_SECONDS: String(TTL),
      GRACE_SECONDS: String(GRACE),
    };
    servers = [restartableServer(env), restartableServer(env)];
    await Promise.all(servers.map((server) => server.start()));
    lead = await people(servers[0].anonymous).engineer('Lead');
    ledger = await openPostgres({ url: pg.url, migrations, poolSize: 2 });
    keeper = keepalive({ client: lead, everyMs: 300 });
  }, 120_000);

  afterEach(async () => {
    // What one test left broken is not the next one's matter.
    redis.resume();
    await redis.admin((admin) => admin.ping()).catch(() => redis.start());
    await pg.start();
    for (const server of servers) {
      expect(
        server
          .output()
          .split('\n')
          .filter((line) => line.includes('a bug')),
      ).toEqual([]);
      expect(server.runs()).toBe(true);
    }
  });

  afterAll(async () => {
    await keeper.stop();
    await Promise.all(servers.map((server) => server.kill()));
    await ledger.close();
    await Promise.all([pg.remove(), redis.remove()]);
    rmSync(dataDir, { recursive: true, force: true });
  });

  /** The same person at the other server. */
  const elsewhere = (client: Client) => client.with({ server: servers[1].url });

  type Scene = { projectId: string; alive: Client & { sessionId: string }; dead: Client & { sessionId: string }; work: Workload };

  /** A project with agents at work on both servers, one session that holds and beats, and one that holds and is silent. */
  async function scene({ agents = 6 } = {}): Promise<Scene> {
    const { id: projectId } = await lead.createProject({ body: { name: 'Project', slug: `p-${crypto.randomUUID()}` } });
    const [alive, dead] = [await terminal(lead, projectId, { keeper: true }), await terminal(lead, projectId, { keeper: true })];
    await readyFeature(lead, projectId, 'alive', ['alive/']);
    await readyFeature(lead, projectId, 'dead', ['dead/']);
    await readyFeature(lead, projectId, 'spare', ['spare/']);
    await alive.pickFeature({ projectId, slug: 'alive' });
    await dead.pickFeature({ projectId, slug: 'dead' });
    keeper.add(alive.sessionId, dead.sessionId);
    await overlappingFeatures(lead, projectId, 8);
    const work = startWorkload({ clients: [lead, elsewhere(lead)], projectId, agents, beatMs: 300 });
    await eventually('the agents are at work', () => work.acknowledged() >= 2 * agents);
    return { projectId, alive, dead, work };
  }

  const fenceOf = async (projectId: string, slug: string) => (await lead.getFeature({ projectId, slug })).fence;

  /** After the outage: everybody gets on, nobody who beat was lost, who is silent is lost, and every rule has held throughout. */
  async function expectRecovered({ projectId, alive, dead, work }: Scene, { fence }: { fence: number | null }) {
    keeper.forget(dead.sessionId);
    const before = work.acknowledged();
    await eventually('the agents get on', () => work.acknowledged() >= before + 24, 60_000);
    await work.stop();
    expect(work.bugs).toEqual([]);
    expect(work.lost).toEqual([]);
    expect(await fenceOf(projectId, 'alive')).toBe(fence);
    expect(keeper.over.has(alive.sessionId)).toBe(false);
    expect(keeper.refusals).toEqual([]);

    await eventually('the silent session is lost', async () => (await fenceOf(projectId, 'dead')) === null, LOST_WITHIN);
    expect((await lead.getFeature({ projectId, slug: 'dead' })).interrupted).toBe(true);
    expect(await fenceOf(projectId, 'alive')).toBe(fence);

    await eventually('the index agrees with the ledger', async () => (await auditIndex(lead, projectId)).length === 0, 10_000);
    expect(await auditAnswers(lead, projectId)).toEqual([]);
    expect(await auditLedger(ledger, projectId)).toEqual([]);
    expect(await auditHistory(ledger.db, projectId, work.history)).toEqual([]);
    keeper.forget(alive.sessionId);
  }

  describe('Redis', () => {
    test('down for longer than a lease: the ledger serves, heartbeats are degraded, and nothing expires', async () => {
      const now = await scene();
      const { projectId, alive, dead } = now;
      const fence = await fenceOf(projectId, 'alive');
      keeper.forget(dead.sessionId);
      await redis.kill();
      await eventually(
        'the servers have noticed',
        async () => (await alive.heartbeat({ projectId, sessionId: alive.sessionId })).degraded,
        10_000,
      );

      const other = elsewhere(lead).with({ session: now.alive.sessionId });
      expect((await other.pickFeature({ projectId, slug: 'spare' })).heldBy?.sessionId).toBe(alive.sessionId);
      const { paths, degraded } = await dead.checkClaims({ projectId, body: { paths: ['spare/x.ts', 'free.ts', 'dead/y.ts'] } });
      expect(paths.map(({ state }) => state)).toEqual(['held', 'free', 'mine']);
      expect(degraded).toBe(true);
      await expect(dead.pickFeature({ projectId, slug: 'spare' })).rejects.toMatchObject({ status: 409 });
      expect((await other.releaseFeature({ projectId, slug: 'spare' })).status).toBe('ready');

      await Bun.sleep(LONG);
      expect((await alive.heartbeat({ projectId, sessionId: alive.sessionId })).degraded).toBe(true);
      expect(await fenceOf(projectId, 'dead')).not.toBeNull();
      await redis.start({ empty: true });
      await eventually(
        'heartbeats are whole again',
        async () => !(await alive.heartbeat({ projectId, sessionId: alive.sessionId })).degraded,
      );
      await expectRecovered(now, { fence });
    }, 120_000);
  });

  describe('PostgreSQL', () => {
    test('down for longer than a lease: heartbeats go on, everything else says 503, and afterwards every lease is fresh', async () => {
      const now = await scene();
      const { projectId, alive, work } = now;
      const fence = await fenceOf(projectId, 'alive');
      await pg.crash();
      const began = Date.now();
      const once = alive.with({ retries: 0 });
      await eventually('the server has noticed', () =>
        once.checkClaims({ projectId, body: { paths: ['free.ts'] } }).then(
          () => false,
          () => true,
        ),
      );
      const routes: Array<[string, () => Promise<unknown>]> = [
        ['pick', () => once.pickFeature({ projectId, slug: 'spare' })],
        ['release', () => once.releaseFeature({ projectId, slug: 'alive' })],
        ['claim', () => once.claim({ projectId, body: { paths: ['x.ts'] } })],
        ['check of what is held', () => once.checkClaims({ projectId, body: { paths: ['dead/x.ts'] } })],
        ['check of what is free', () => once.checkClaims({ projectId, body: { paths: ['free.ts'] } })],
        ['status', () => once.status({ projectId })],
        ['open', () => once.openSession({ projectId, body: { agent: 'claude', agentSessionId: 'new' } })],
        ['create', () => once.createProject({ body: { name: 'Project', slug: 'another' } })],
        ['register', () => once.register({ body: { name: 'Bo', email: 'bo@example.org' } })],
        ['events', () => once.events({ projectId })],
      ];
      do {
        for (const [, call] of routes) {
          const error: unknown = await call().catch((failure: unknown) => failure);
          expect(error).toBeInstanceOf(NexusError);
          expect(error).toMatchObject({ status: 503, code: 'SERVICE_UNAVAILABLE' });
        }
        const answer = await once.heartbeat({ projectId, sessionId: alive.sessionId });
        expect(answer.ok).toBe(true);
      } while (Date.now() - began < LONG);
      const raw = await fetch(`${servers[0].url}/api/projects/${projectId}/status`, {
        headers: { authorization: `Bearer ${lead.options.apiKey}` },
      });
      expect(raw.status).toBe(503);
      expect(Number(raw.headers.get('retry-after'))).toBeGreaterThan(0);
      expect((await fetch(`${servers[0].url}/api/health/ready`)).status).toBe(503);
      expect((await fetch(`${servers[0].url}/api/health/live`)).status).toBe(200);

      await pg.start();
      await eventually('both servers are ready', async () => {
        const ready = await Promise.all(servers.map(({ url }) => fetch(`${url}/api/health/ready`)));
        return ready.every(({ status }) => status === 200);
      });
      // A deadline is fresh when it is nearly a whole lease away.
      const { sessions } = await lead.status({ projectId });
      for (const { expiresAt } of sessions) expect(Date.parse(expiresAt ?? '')).toBeGreaterThan(Date.now() + 500);
      expect(sessions.map(({ id }) => id)).toEqual(expect.arrayContaining([...work.sessions]));
      await expectRecovered(now, { fence });
    }, 120_000);
  });

  describe('two servers', () => {
    test('a pick on one is refused on the other at once, fifty times', async () => {
      const { id: projectId } = await lead.createProject({ body: { name: 'Project', slug: `p-${crypto.randomUUID()}` } });
      const [here, there] = [await terminal(lead, projectId), await terminal(elsewhere(lead), projectId)];
      await readyFeature(lead, projectId, 'left', ['src/', 'left.ts']);
      await readyFeature(lead, projectId, 'right', ['src/deep/file.ts', 'right.ts']);
      for (let round = 0; round < 25; round += 1) {
        for (const [first, slug, second, other] of [
          [here, 'left', there, 'right'],
          [there, 'right', here, 'left'],
        ] as const) {
          await first.pickFeature({ projectId, slug });
          await expect(second.pickFeature({ projectId, slug: other })).rejects.toMatchObject({ code: 'FILE_ALREADY_CLAIMED' });
          await expect(second.pickFeature({ projectId, slug })).rejects.toMatchObject({ code: 'INVALID_STATUS_TRANSITION' });
          await first.releaseFeature({ projectId, slug });
        }
      }
      expect(await auditLedger(ledger, projectId)).toEqual([]);
    }, 60_000);

    test('what happens on one is heard by a subscriber of the other', async () => {
      const { id: projectId } = await lead.createProject({ body: { name: 'Project', slug: `p-${crypto.randomUUID()}` } });
      const heard: FeedEvent[] = [];
      const socket = new WebSocket(`${servers[1].url.replace('http', 'ws')}/ws`, {
        headers: { authorization: `Bearer ${lead.options.apiKey}` },
      } as never);
      socket.addEventListener('message', ({ data }) => {
        const message = JSON.parse(String(data)) as FeedEvent;
        if (typeof message.seq === 'number') heard.push(message);
      });
      await eventually('the socket is open', () => socket.readyState === WebSocket.OPEN);
      socket.send(JSON.stringify({ type: 'join', projectId, after: '0' }));
      await readyFeature(lead, projectId, 'told', ['told/']);
      await (await terminal(lead, projectId)).pickFeature({ projectId, slug: 'told' });
      await eventually('the pick is heard of', () => heard.some(({ type }) => type === 'feature_claimed'), 10_000);
      expect(heard.map(({ seq }) => seq)).toEqual(heard.map((_, position) => position + 1));
      socket.close();
    }, 60_000);
  });
});
