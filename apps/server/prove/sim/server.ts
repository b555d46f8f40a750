import { parseConfig } from '../../src/config.ts';
import { createDeps, type Deps } from '../../src/deps.ts';
import { createMemoryBus } from '../../src/engines/bus/memory.ts';
import type { Database } from '../../src/engines/database/database.ts';
import type { LeaseStore } from '../../src/engines/leases/leases.ts';
import { createLog } from '../../src/platform/log.ts';
import type { Times } from './leases.ts';
import type { Being, Scheduler } from './scheduler.ts';

export type SimulatedServer = Awaited<ReturnType<typeof createSimulatedServer>>;

type Needs = {
  name: string;
  scheduler: Scheduler;
  times: Times;
  database: (by: Being) => Database;
  leases: (by: Being) => LeaseStore;
  /** What the server itself calls a bug. */
  broken: (what: string) => void;
};

/** The server's own parts over simulated engines: everything below the routes. Killed and started again, as a process is. */
export async function createSimulatedServer({ name, scheduler, times, database, leases, broken }: Needs) {
  const config = parseConfig({
    LEASE_TTL_SECONDS: String(times.ttlMs / 1000),
    GRACE_SECONDS: String(times.graceMs / 1000),
    API_KEY_SALT: 'a salt for tests, of more than thirty-two characters',
    LOG_LEVEL: 'error',
  });
  const log = createLog({
    level: 'error',
    write: (line) => void (line.includes('a bug') && broken(`${name} said: ${line.slice(0, 400)}`)),
  });
  let being: Being = { name, alive: false };
  let deps: Deps | undefined;
  let died = Promise.withResolvers<never>();

  async function sweeping(self: Being, own: Deps) {
    for (;;) {
      await scheduler.sleep(self, times.maxStepMs / 2);
      await own.sweep.once();
    }
  }

  return {
    being: () => being,
    /** Rejects when the process ends. */
    died: () => died.promise,
    deps: () => deps,
    async start() {
      being = { name, alive: true };
      died = Promise.withResolvers();
      died.promise.catch(() => undefined);
      const engines = { database: database(being), leases: leases(being), bus: createMemoryBus() };
      deps = await createDeps({ config, engines, log, version: 'simulated', crash: () => undefined });
      void sweeping(being, deps);
    },
    kill() {
      being.alive = false;
      // Its timers would keep it in memory.
      deps?.feed.close();
      deps?.socket.closeAll();
      deps = undefined;
      died.reject(new Error('The server died.'));
    },
  };
}
