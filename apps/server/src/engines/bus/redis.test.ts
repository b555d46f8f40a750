import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { eventually, hasRedisServer, privateRedis, type PrivateRedis } from '../private-redis.suite.ts';
import type { Bus } from './bus.ts';
import { busSuite, waitFor } from './bus.suite.ts';
import { createRedisBus } from './redis.ts';

const url = process.env['TEST_REDIS_URL'] ?? '';

describe.skipIf(!url || !hasRedisServer)('with a Redis', () => {
  let server: PrivateRedis;
  let buses: Bus[];

  beforeAll(async () => {
    server = await privateRedis();
  });
  afterAll(() => server.remove());
  beforeEach(() => {
    buses = [];
  });
  afterEach(async () => {
    await Promise.all(buses.map((bus) => bus.close()));
    await server.kill();
  });

  async function open() {
    const bus = await createRedisBus({ url: server.url });
    buses.push(bus);
    return bus;
  }

  function collect(bus: Bus) {
    const heard: string[] = [];
    bus.subscribe('feed', (message) => heard.push(message));
    return heard;
  }

  test('subscribers hear again after a restart of Redis', async () => {
    await server.start();
    const [here, there] = [await open(), await open()];
    const heard = collect(there);
    for (const round of ['first', 'second']) {
      await server.kill();
      await server.start();
      await eventually(() => Promise.all([here.ping(), there.ping()]));
      here.publish('feed', round);
      await waitFor(() => heard.includes(round));
    }
    expect(heard).toEqual(['first', 'second']);
  });

  test('while Redis is away the listeners of this process are told, and a ping says that no others are', async () => {
    await server.start();
    const bus = await open();
    const heard = collect(bus);
    await server.kill();
    for (let i = 0; i < 20; i++) bus.publish('feed', String(i));
    await waitFor(() => heard.length === 20);
    await expect(bus.ping()).rejects.toThrow();
  });

  test('it starts without Redis and reaches the others once it is there', async () => {
    const [here, there] = [await open(), await open()];
    const heard = collect(there);
    await expect(here.ping()).rejects.toThrow();
    await server.start();
    await eventually(() => Promise.all([here.ping(), there.ping()]));
    here.publish('feed', 'hello');
    await waitFor(() => heard.length === 1);
  });

  test('a subscriber whose connection was killed hears again', async () => {
    await server.start();
    const [here, there] = [await open(), await open()];
    const heard = collect(there);
    await server.admin((redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
    await eventually(async () => {
      await there.ping();
      here.publish('feed', 'hello');
      await Bun.sleep(10);
      expect(heard).toContain('hello');
    });
  });
});

// Without redis-server there is none to start; the run then names the team engines as skipped, as above.
describe.skipIf(!hasRedisServer)('with a Redis that no other test talks in', () => {
  let server: PrivateRedis;
  afterAll(() => server.remove());
  busSuite('bus in Redis', async () => {
    server = await privateRedis();
    await server.start();
    return [await createRedisBus({ url: server.url }), await createRedisBus({ url: server.url })];
  });
});
