import type { Database } from '../engines/database/database.ts';
import { type IndexVersion, type LeaseStore, LeaseStoreUnavailable } from '../engines/leases/leases.ts';
import type { Committed } from '../ledger/index.ts';
import { isDatabaseAway } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { changesBetween, ledgerOf, renewLedger } from './follow.store.ts';

export type IndexFollower = ReturnType<typeof createIndexFollower>;

/**
 * Brings the lease store's index after the ledger. It may be absent, late, or from another time: its version says so.
 * Nothing here decides who holds what, so nothing here can go wrong in a way that matters for longer than a second.
 */
export function createIndexFollower({ database, leases, log }: { database: Database; leases: LeaseStore; log: Log }) {
  /** While the store or the ledger was away beats may have been missed: after it every project's deadlines start afresh, once. */
  let outages = 0;
  const refreshed = new Map<string, number>();
  const isDue = (projectId: string) => (refreshed.get(projectId) ?? 0) < outages;
  const running = new Map<string, Promise<void>>();

  /** After a commit of this process: the usual case is one step on. Never throws. */
  async function follow({ projectId, ledgerId, from, to, index }: Committed): Promise<void> {
    if (to === from) return;
    try {
      if (!isDue(projectId) && (await leases.apply(projectId, { ledger: ledgerId, ver: from }, to, index))) return;
      await bringUp(projectId);
    } catch (error) {
      if (!(error instanceof LeaseStoreUnavailable))
        log.warn({ err: error, projectId }, 'the index could not follow; it will be brought up');
      if (error instanceof LeaseStoreUnavailable) outages += 1;
    }
  }

  /** Brings a project's index up to the ledger. Single-flight; throws LeaseStoreUnavailable, or what the database throws. */
  function bringUp(projectId: string): Promise<void> {
    const under = running.get(projectId);
    if (under) return under;
    const run = pump(projectId).finally(() => running.delete(projectId));
    running.set(projectId, run);
    return run;
  }

  async function pump(projectId: string): Promise<void> {
    // The store's version is read first: read last, a commit in between would look like a restored database.
    const stands = await leases.version(projectId);
    const ledger = await ledgerOf(database.db, projectId);
    if (!ledger) return;
    if (stands && stands.ledger === ledger.ledger && stands.ver > ledger.ver) return restored(projectId, stands);
    const [refresh, upTo] = [isDue(projectId), outages];
    if (!stands || stands.ledger !== ledger.ledger || refresh) {
      const loaded = await leases.load(projectId, ledger, await changesBetween(database.db, projectId, -1, ledger.ver), { refresh });
      // Another server moved it on meanwhile, and its deadlines are still as they were.
      if (refresh && !loaded) return pump(projectId);
      refreshed.set(projectId, upTo);
    } else if (stands.ver < ledger.ver) {
      await leases.apply(projectId, stands, ledger.ver, await changesBetween(database.db, projectId, stands.ver, ledger.ver));
    }
  }

  /** The index is ahead: the database was set back to a backup. No fence or version of the lost history is used again. */
  async function restored(projectId: string, stands: IndexVersion): Promise<void> {
    const renewed = await renewLedger(database.db, projectId, stands);
    if (renewed) log.warn({ projectId }, 'the database was restored from an older state: a new ledger begins, fences jump');
    return pump(projectId);
  }

  /** Nobody may be called stale before this has passed. Throws while the store or the ledger is away. */
  async function freshen(projectId: string): Promise<void> {
    // A pump that was under way already may have begun before the outage was known.
    for (let tries = 0; tries < 2 && isDue(projectId); tries += 1) await bringUp(projectId);
  }

  return {
    follow,
    bringUp,
    /** The store or the ledger did not answer: when it does again, every deadline is fresh before anything expires. */
    wasAway: () => {
      outages += 1;
    },
    freshen,
    /** Called with every project that has something to lose, before it is swept. */
    async settle(projectIds: string[]): Promise<void> {
      for (const id of projectIds) {
        try {
          await bringUp(id);
          await freshen(id);
        } catch (error) {
          if (error instanceof LeaseStoreUnavailable || isDatabaseAway(error)) throw error;
          log.error({ err: error, projectId: id }, 'a bug: an index could not be brought up');
        }
      }
    },
  };
}
