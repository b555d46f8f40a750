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
  /** Projects whose leases may have missed beats while the store or the ledger was away: their deadlines start afresh. */
  let away = false;
  const refreshDue = new Set<string>();
  const running = new Map<string, Promise<void>>();

  /** After a commit of this process: the usual case is one step on. Never throws. */
  async function follow({ projectId, ledgerId, from, to, index }: Committed): Promise<void> {
    if (to === from) return;
    try {
      if (!refreshDue.has(projectId) && !away && (await leases.apply(projectId, { ledger: ledgerId, ver: from }, to, index))) return;
      await bringUp(projectId);
    } catch (error) {
      if (!(error instanceof LeaseStoreUnavailable))
        log.warn({ err: error, projectId }, 'the index could not follow; it will be brought up');
      away ||= error instanceof LeaseStoreUnavailable;
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
    const refresh = refreshDue.has(projectId);
    if (!stands || stands.ledger !== ledger.ledger || refresh) {
      const loaded = await leases.load(projectId, ledger, await changesBetween(database.db, projectId, -1, ledger.ver), { refresh });
      // Another server moved it on meanwhile, and its deadlines are still as they were.
      if (refresh && !loaded) return pump(projectId);
      refreshDue.delete(projectId);
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

  return {
    follow,
    bringUp,
    /** The store or the ledger did not answer: when it does again, every deadline is fresh before anything expires. */
    wasAway: () => {
      away = true;
    },
    /** Called with every project that has something to lose, before it is swept. */
    async settle(projectIds: string[]): Promise<void> {
      if (away) {
        for (const id of projectIds) refreshDue.add(id);
        away = false;
      }
      for (const id of projectIds) {
        try {
          await bringUp(id);
          // One that was under way already may have begun before the outage was known.
          if (refreshDue.has(id)) await bringUp(id);
        } catch (error) {
          if (error instanceof LeaseStoreUnavailable || isDatabaseAway(error)) throw error;
          log.error({ err: error, projectId: id }, 'a bug: an index could not be brought up');
        }
      }
    },
  };
}
