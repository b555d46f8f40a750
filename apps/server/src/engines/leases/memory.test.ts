import { createMemoryLeases } from './memory.ts';
import { leaseStoreSuite } from './leases.suite.ts';
import { suiteTimes } from './rig.suite.ts';

leaseStoreSuite('leases in process', async () => {
  let now = 1_000_000;
  const leases = createMemoryLeases({ ...suiteTimes, now: () => now });
  return {
    leases,
    async passTime(project, ms) {
      for (let left = ms; left > 0; left -= suiteTimes.maxStepMs) {
        now += Math.min(left, suiteTimes.maxStepMs);
        await leases.stale(project);
      }
    },
    async leap(_, ms) {
      now += ms;
    },
  };
});
