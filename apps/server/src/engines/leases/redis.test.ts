import { describe } from 'bun:test';
import { Redis } from 'ioredis';
import { createRedisLeases } from './redis.ts';
import { keyOf } from './scripts.ts';
import { leaseStoreSuite } from './leases.suite.ts';
import { suiteTimes } from './rig.suite.ts';

const url = process.env['TEST_REDIS_URL'] ?? '';

describe.skipIf(!url)('with a Redis', () => {
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
        const keys = await redis.keys(keyOf(project, '*').replaceAll(/[[\]?\\]/g, '\\$&'));
        return keys.filter((key) => key !== keyOf(project, 'meta'));
      },
    };
  });
});
