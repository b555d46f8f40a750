import { Redis } from 'ioredis';
import { overlapSuite } from '../../../../packages/paths/src/overlap.suite.ts';
import { normaliserSuite } from '../../../../packages/paths/src/parse.suite.ts';
import { createMemoryLeases } from '../../src/engines/leases/memory.ts';
import { createRedisLeases } from '../../src/engines/leases/redis.ts';
import { type LeaseRig, suiteTimes } from '../../src/engines/leases/rig.suite.ts';
import { keyOf } from '../../src/engines/leases/scripts.ts';
import { walkSuite } from '../../src/engines/leases/walk.suite.ts';
import { canRun } from '../../test/harness.ts';
import type { Suite } from '../lib/suite.ts';

export const paths: Suite = {
  name: 'paths',
  shows: 'any string is refused, or has a clean key that what is stored and shown leads back to',
  needs: 'nothing',
  run({ quick, seed }) {
    const { operations, violations, accepted } = normaliserSuite({ operations: quick ? 10_000 : 200_000, seed });
    return Promise.resolve({
      operations,
      faults: 0,
      violations,
      figures: `${accepted.paths} paths and ${accepted.patterns} patterns accepted`,
    });
  },
};

export const overlap: Suite = {
  name: 'overlap',
  shows: 'files, trees and globs overlap when the automata of their paths do: never unsound',
  needs: 'nothing',
  run({ quick, seed }) {
    const { operations, violations, overlapping, careful } = overlapSuite({ operations: quick ? 1500 : 20_000, seed });
    return Promise.resolve({ operations, faults: 0, violations, figures: `${overlapping} overlap, ${careful} refused to be careful` });
  },
};

export const leases: Suite = {
  name: 'leases',
  shows: 'both lease engines answer each step of a random walk as a plain list of claims does, and keep nothing when all is released',
  needs: 'nothing',
  async run({ quick, seed }) {
    // How long walks are is chance: so more than 60,000 steps.
    const operations = quick ? 2000 : 66_000;
    const inProcess = await walkSuite(memoryRig(), { operations, seed });
    if (!canRun('team')) return { ...inProcess, faults: 0 };
    const rig = await redisRig();
    try {
      const inRedis = await walkSuite(rig, { operations: quick ? 1000 : operations, seed });
      return {
        operations: inProcess.operations + inRedis.operations,
        faults: 0,
        violations: [...inProcess.violations.map((one) => `in process: ${one}`), ...inRedis.violations.map((one) => `Redis: ${one}`)],
      };
    } finally {
      await rig.close();
    }
  },
};

function memoryRig(): LeaseRig {
  let now = 1_000_000;
  const engine = createMemoryLeases({ ...suiteTimes, now: () => now });
  return {
    leases: engine,
    async passTime(project, ms) {
      for (let left = ms; left > 0; left -= suiteTimes.maxStepMs) {
        now += Math.min(left, suiteTimes.maxStepMs);
        await engine.stale(project);
      }
    },
    leap(_, ms) {
      now += ms;
      return Promise.resolve();
    },
  };
}

async function redisRig(): Promise<LeaseRig & { close: () => Promise<void> }> {
  const url = process.env['TEST_REDIS_URL'] ?? '';
  const redis = new Redis(url);
  const engine = await createRedisLeases({ url, ...suiteTimes });
  return {
    leases: engine,
    passTime: async (project, ms) => void (await redis.hincrby(keyOf(project, 'meta'), 'clk', ms)),
    leap: async (project, ms) => void (await redis.hincrby(keyOf(project, 'meta'), 'raw', -ms)),
    leftovers: async (project) => (await redis.keys(keyOf(project, '*'))).filter((key) => key !== keyOf(project, 'meta')),
    close: async () => void (await Promise.all([engine.close(), redis.quit()])),
  };
}
