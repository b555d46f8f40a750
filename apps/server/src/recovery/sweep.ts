import { sql } from 'drizzle-orm';
import { type IndexFollower, parkedLongerThan } from '../claims/index.ts';
import { type Database } from '../engines/database/database.ts';
import { LeaseStoreUnavailable } from '../engines/leases/leases.ts';
import { isDatabaseAway } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { projectsAlive } from '../sessions/index.ts';
import type { Recovery } from './recovery.ts';

type Needs = {
  database: Database;
  index: IndexFollower;
  recovery: Recovery;
  log: Log;
  everyMs: number;
  parkedMs: number;
  events: { keepDays: number; keepCount: number };
};

const HOUR = 3_600_000;

/**
 * Every second, on every replica: brings indexes up, keeps the logical clocks going, and loses whoever is silent for too
 * long. Twice is harmless. While the ledger or the store is away nothing is lost, and afterwards every lease is fresh.
 */
export function createSweep({ database, index, recovery, log, everyMs, parkedMs, events }: Needs) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  let cleanedAt = 0;
  let running: Promise<void> = Promise.resolve();

  async function once(): Promise<void> {
    try {
      const projects = await projectsAlive(database.db);
      await index.settle(projects);
      for (const projectId of projects) await recovery.loseStale(projectId);
      for (const { projectId, id } of await parkedLongerThan(database.db, parkedMs / 1000)) await recovery.expireParked(projectId, id);
      if (Date.now() - cleanedAt > HOUR) await clean();
    } catch (error) {
      index.wasAway();
      if (!(error instanceof LeaseStoreUnavailable) && !isDatabaseAway(error)) log.error({ err: error }, 'the sweep failed; it goes on');
    }
  }

  /** Old answers to retries, and events that are both old and many. */
  async function clean(): Promise<void> {
    cleanedAt = Date.now();
    await database.db.execute(sql`delete from idempotency where created_at < now() - interval '24 hours'`);
    await database.db.execute(sql`
      delete from events e using ledgers l where l.project_id = e.project_id and e.seq <= l.event_seq - ${events.keepCount}
      and e.at < now() - make_interval(secs => ${events.keepDays * 86_400})`);
  }

  function schedule() {
    if (stopped) return;
    timer = setTimeout(() => {
      running = once().finally(schedule);
    }, everyMs);
  }

  return {
    once,
    start: schedule,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
