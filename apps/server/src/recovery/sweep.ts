import { type IndexFollower, parkedLongerThan } from '../claims/index.ts';
import type { Database } from '../engines/database/database.ts';
import { LeaseStoreUnavailable } from '../engines/leases/leases.ts';
import { isDatabaseAway } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { projectsAlive } from '../sessions/index.ts';
import type { Recovery } from './recovery.ts';
import { clean } from './recovery.store.ts';

type Needs = {
  database: Database;
  index: IndexFollower;
  recovery: Recovery;
  /** Gives those who wait what was let go. */
  drain: { all: () => Promise<void> };
  /** Sees to what time does with requests. */
  pace: { tick: (alive: string[]) => Promise<void> };
  /** Writes down what was refused since the last sweep. */
  contention: { flush: () => Promise<void> };
  /** Finds out who is to be told something. */
  post: { tick: () => Promise<void> };
  /** Sees to what time does with patches, and finds out who is to be told of them. */
  courier: { tick: () => Promise<void> };
  log: Log;
  everyMs: number;
  parkedMs: number;
  landingMs: number;
  events: { keepDays: number; keepCount: number };
  /** Removes what is kept for a while only. */
  prune: () => Promise<void>;
};

const HOUR = 3_600_000;

/**
 * Every second, on every replica: brings indexes up, keeps the logical clocks going, and loses whoever is silent for too
 * long. Twice is harmless. While the ledger or the store is away nothing is lost, and afterwards every lease is fresh.
 */
export function createSweep({
  database,
  index,
  recovery,
  drain,
  pace,
  contention,
  post,
  courier,
  log,
  everyMs,
  parkedMs,
  landingMs,
  events,
  prune,
}: Needs) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  let cleanedAt = 0;
  let ledgerAway = false;
  let running: Promise<void> = Promise.resolve();

  async function once(): Promise<void> {
    try {
      const projects = await projectsAlive(database.db);
      ledgerAway = false;
      await index.settle(projects);
      for (const projectId of projects) await alone(projectId, () => recovery.loseStale(projectId));
      for (const { projectId, id } of await parkedLongerThan(database.db, { parked: parkedMs / 1000, landing: landingMs / 1000 }))
        await alone(projectId, () => recovery.expireParked(projectId, id));
      await pace.tick(projects);
      await post.tick();
      await drain.all();
      await courier.tick();
      await contention.flush();
      if (Date.now() - cleanedAt > HOUR) {
        cleanedAt = Date.now();
        await clean(database.db, events);
        await prune();
      }
    } catch (error) {
      index.wasAway();
      ledgerAway = isDatabaseAway(error);
      if (!(error instanceof LeaseStoreUnavailable) && !isDatabaseAway(error)) log.error({ err: error }, 'the sweep failed; it goes on');
    }
  }

  /** What goes wrong in one project must keep no other one's dead sessions alive. */
  async function alone(projectId: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof LeaseStoreUnavailable || isDatabaseAway(error)) throw error;
      log.error({ err: error, projectId }, 'a bug: a project could not be swept');
    }
  }

  function schedule() {
    if (stopped) return;
    timer = setTimeout(() => {
      running = once().finally(schedule);
    }, everyMs);
  }

  return {
    once,
    /** As the last round found it. */
    ledgerAway: () => ledgerAway,
    start: schedule,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
