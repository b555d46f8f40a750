import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { Redis } from 'ioredis';
import { eventually, hasRedisServer, privateRedis, type PrivateRedis } from '../private-redis.suite.ts';
import { LeaseStoreUnavailable, type IndexSnapshot, type LeaseStore } from './leases.ts';
import { leaseStoreSuite } from './leases.suite.ts';
import { createRedisLeases } from './redis.ts';
import { suiteTimes } from './rig.suite.ts';
import { keyOf } from './scripts.ts';

const url = process.env['TEST_REDIS_URL'] ?? '';

describe.skipIf(!url)('with the Redis of the tests', () => {
  leaseStoreSuite('leases in Redis', async () => {
    const redis = new Redis(url);
    const leases = await createRedisLeases({ url, ...suiteTimes });
    return {
      leases: { ...leases, close: async () => void (await Promise.all([leases.close(), redis.quit()])) },
      async passTime(project, ms) {
        await redis.hincrby(keyOf(project, 'meta'), 'clk', ms);
      },
      async leap(project, ms) {
        await redis.hincrby(keyOf(project, 'meta'), 'raw', -ms);
      },
      async leftovers(project) {
        const keys = await redis.keys(keyOf(project, '*'));
        return keys.filter((key) => key !== keyOf(project, 'meta'));
      },
    };
  });
});

describe.skipIf(!url || !hasRedisServer)('leases in a Redis that fails', () => {
  const project = 'p1';
  const at = (ver: number) => ({ ledger: 'ledger-1', ver });
  const ttl = 90_000;
  const stalePast = ttl + suiteTimes.graceMs + 1;
  const snapshot: IndexSnapshot = {
    sessionsOpened: [{ id: 's1', ttlMs: ttl }],
    holdsGranted: [{ id: 'h1', session: 's1', label: null, fence: 1 }],
    claimsGranted: [{ hold: 'h1', node: '/a', mode: 'write', display: 'a' }],
  };
  const changes = { claimsEnded: [], holdsEnded: [], sessionsClosed: [], sessionsOpened: [], holdsGranted: [], claimsGranted: [] };

  let server: PrivateRedis;
  let opened: LeaseStore[];
  let warnings: string[];

  beforeAll(async () => {
    server = await privateRedis();
  });
  afterAll(() => server.remove());
  beforeEach(() => {
    opened = [];
    warnings = [];
  });
  afterEach(async () => {
    await Promise.all(opened.map((leases) => leases.close()));
    await server.kill();
  });

  /** One replica of the server. */
  async function open(at = server.url) {
    const leases = await createRedisLeases({ url: at, ...suiteTimes, onWarning: (message) => warnings.push(message) });
    opened.push(leases);
    return leases;
  }

  async function openLoaded() {
    await server.start({ empty: true });
    const leases = await open();
    await leases.load(project, at(5), snapshot);
    return leases;
  }

  const passTime = (ms: number) => server.admin((redis) => redis.hincrby(keyOf(project, 'meta'), 'clk', ms));
  const stateOf = async (leases: LeaseStore) => (await leases.beat(project, ['s1']))[0]?.state;

  /** Nothing may be read out of this state, or happen to anybody because of it, until a load. */
  async function expectNoIndex(leases: LeaseStore) {
    expect(await leases.version(project)).toBeNull();
    expect(await leases.stale(project)).toEqual([]);
    expect(await leases.condemn(project, 's1', { dead: true })).toBe('alive');
    expect(await leases.apply(project, at(5), 6, changes)).toBe(false);
  }

  async function expectLoads(leases: LeaseStore) {
    expect(await leases.load(project, at(5), snapshot)).toBe(true);
    expect(await leases.version(project)).toEqual(at(5));
    expect(await stateOf(leases)).toBe('ok');
    expect((await leases.check(project, [{ node: '/a/b', mode: 'write' }], []))?.conflicts).toHaveLength(1);
    expect(await leases.stale(project)).toEqual([]);
  }

  test('a flush leaves no index, and a load brings it back', async () => {
    const leases = await openLoaded();
    await server.admin((redis) => redis.flushall());
    await expectNoIndex(leases);
    expect(await stateOf(leases)).toBe('unknown');
    expect(await leases.check(project, [{ node: '/a', mode: 'write' }], [])).toBeNull();
    await expectLoads(leases);
  });

  test('one of which a part is gone is not used, and a fresh load heals it', async () => {
    const leases = await openLoaded();
    await server.admin(async (redis) => redis.del(await redis.keys('nx:*:holds')));
    await expect(leases.check(project, [{ node: '/a/b', mode: 'write' }], [])).rejects.toThrow(LeaseStoreUnavailable);
    expect(await leases.load(project, at(5), snapshot, { refresh: true })).toBe(true);
    expect((await leases.check(project, [{ node: '/a/b', mode: 'write' }], []))?.conflicts).toHaveLength(1);
  });

  test('a flush of the scripts alone is not noticed', async () => {
    const leases = await openLoaded();
    await server.admin((redis) => redis.script('FLUSH'));
    expect(await leases.version(project)).toEqual(at(5));
    expect(await stateOf(leases)).toBe('ok');
  });

  test('an empty restart leaves no index, and a load brings it back', async () => {
    const leases = await openLoaded();
    await server.kill();
    await server.start({ empty: true });
    await eventually(() => leases.ping());
    await expectNoIndex(leases);
    await expectLoads(leases);
  });

  test('a restart from a saved state is another run, also to a replica that was not there before', async () => {
    const leases = await openLoaded();
    await passTime(stalePast);
    await server.admin((redis) => redis.save());
    await server.kill();
    await server.start();
    await eventually(() => leases.ping());
    await expectNoIndex(await open());
    await expectNoIndex(leases);
    await expectLoads(leases);
  });

  test('a state set back is no index to whoever saw a later clock, and condemns nobody', async () => {
    const leases = await openLoaded();
    await passTime(stalePast);
    expect(await leases.stale(project)).toEqual(['s1']);
    await server.admin(async (redis) => {
      const keys = await redis.keys('*');
      const dumps = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
      expect(await stateOf(leases)).toBe('ok');
      await passTime(10_000);
      expect(await leases.stale(project)).toEqual([]);

      await redis.flushall();
      await Promise.all(keys.map((key, i) => redis.restore(key, 0, dumps[i] ?? '')));
    });
    await expectNoIndex(leases);
    expect(await stateOf(leases)).toBe('unknown');
    expect(await leases.check(project, [], [])).toBeNull();
    await expectLoads(leases);
  });

  test('the clock goes on after a set-back from where it was seen', async () => {
    const leases = await openLoaded();
    await passTime(1_000_000);
    await leases.stale(project);
    await server.admin((redis) => redis.flushall());
    await leases.load(project, at(5), snapshot);
    const clk = await server.admin((redis) => redis.hget(keyOf(project, 'meta'), 'clk'));
    expect(Number(clk)).toBeGreaterThanOrEqual(1_000_000);
  });

  test('two replicas see the same sessions', async () => {
    const leases = await openLoaded();
    const other = await open();
    expect(await other.condemn(project, 's1', { dead: true })).toBe('done');
    expect(await stateOf(leases)).toBe('condemned');
  });

  test('a Redis that may evict keys is refused', async () => {
    await server.start({ empty: true, settings: ['--maxmemory-policy', 'allkeys-lru'] });
    await expect(open()).rejects.toThrow('Redis has maxmemory-policy allkeys-lru');
  });

  test('a Redis that may evict keys is not used when it comes later', async () => {
    const leases = await open();
    await server.start({ empty: true, settings: ['--maxmemory-policy', 'volatile-ttl'] });
    await eventually(async () => expect(warnings.join()).toContain('maxmemory-policy volatile-ttl'));
    await expect(leases.version(project)).rejects.toThrow(LeaseStoreUnavailable);
    await expect(leases.ping()).rejects.toThrow('maxmemory-policy volatile-ttl');
  });

  test('a Redis without INFO is used, with a warning', async () => {
    await server.start({ empty: true });
    await server.admin((redis) => redis.acl('SETUSER', 'plain', 'on', '>secret', '~*', '&*', '+@all', '-info'));
    const leases = await open(server.url.replace('//', '//plain:secret@'));
    expect(warnings.join()).toContain('does not permit INFO');
    await expectLoads(leases);
  });

  test('every call fails at once while Redis is away, and works again when it is back', async () => {
    const leases = await openLoaded();
    await server.kill();
    await eventually(async () => expect(leases.ping()).rejects.toThrow(LeaseStoreUnavailable));
    const started = performance.now();
    const calls = [
      leases.version(project),
      leases.apply(project, at(5), 6, changes),
      leases.load(project, at(5), snapshot),
      leases.check(project, [], []),
      leases.open(project, 's1', ttl),
      leases.beat(project, ['s1']),
      leases.stale(project),
      leases.condemn(project, 's1'),
      leases.list(project),
    ];
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(LeaseStoreUnavailable) });
    }
    expect(performance.now() - started).toBeLessThan(100);
    await server.start({ empty: true });
    await eventually(() => leases.ping());
    await expectLoads(leases);
  });

  test('what is on its way when Redis dies fails with the connection, not by a timeout', async () => {
    const leases = await openLoaded();
    server.pause();
    const call = leases.version(project);
    const started = performance.now();
    await server.kill();
    await expect(call).rejects.toThrow(LeaseStoreUnavailable);
    expect(performance.now() - started).toBeLessThan(500);
  });

  test('a Redis that hangs fails calls within two seconds, and nothing has expired when it goes on', async () => {
    const leases = await openLoaded();
    server.pause();
    const started = performance.now();
    await expect(leases.version(project)).rejects.toThrow(LeaseStoreUnavailable);
    expect(performance.now() - started).toBeLessThan(2_000);
    server.resume();
    await eventually(() => leases.ping());
    expect(await leases.stale(project)).toEqual([]);
    expect(await leases.version(project)).toEqual(at(5));
  });

  test('the server starts without Redis, says why once, and uses it when it comes', async () => {
    const leases = await open();
    await expect(leases.version(project)).rejects.toThrow(LeaseStoreUnavailable);
    await Bun.sleep(400);
    expect(warnings).toHaveLength(1);
    await server.start({ empty: true });
    await eventually(() => leases.ping());
    await expectLoads(leases);
  });
});
