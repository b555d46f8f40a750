import { sql } from 'drizzle-orm';
import { type Database, rows } from '../engines/database/database.ts';
import { type IndexChanges, type IndexedHold, type IndexVersion, type LeaseStore, LeaseStoreUnavailable } from '../engines/leases/leases.ts';
import type { Committed } from '../ledger/index.ts';
import type { Log } from '../platform/log.ts';

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
      if (!(error instanceof LeaseStoreUnavailable)) log.warn({ err: error, projectId }, 'the index could not follow; it will be brought up');
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
    const ledger = await ledgerOf(projectId);
    if (!ledger) return;
    if (stands && stands.ledger === ledger.ledger && stands.ver > ledger.ver) return restored(projectId, stands);
    const refresh = refreshDue.has(projectId);
    if (!stands || stands.ledger !== ledger.ledger || refresh) {
      await leases.load(projectId, ledger, await changesBetween(projectId, -1, ledger.ver), { refresh });
      refreshDue.delete(projectId);
    } else if (stands.ver < ledger.ver) {
      await leases.apply(projectId, stands, ledger.ver, await changesBetween(projectId, stands.ver, ledger.ver));
    }
  }

  /** The index is ahead: the database was set back to a backup. No fence or version of the lost history is used again. */
  async function restored(projectId: string, stands: IndexVersion): Promise<void> {
    const renewed = await rows<{ ledger_id: string }>(
      database.db,
      sql`update ledgers set ledger_id = gen_random_uuid(), fence = fence + 1000000, ver = ver + 1
          where project_id = ${projectId} and ledger_id = ${stands.ledger} and ver < ${stands.ver} returning ledger_id`,
    );
    if (renewed.length > 0) log.warn({ projectId }, 'the database was restored from an older state: a new ledger begins, fences jump');
    return pump(projectId);
  }

  async function ledgerOf(projectId: string): Promise<IndexVersion | undefined> {
    const [row] = await rows<{ ledger_id: string; ver: string }>(database.db, sql`select ledger_id, ver from ledgers where project_id = ${projectId}`);
    return row && { ledger: row.ledger_id, ver: Number(row.ver) };
  }

  /**
   * The net difference. Read after `to` was: everything up to it is committed, and what came later is left out by its version.
   * From -1: everything that stands at `to`.
   */
  async function changesBetween(projectId: string, from: number, to: number): Promise<IndexChanges> {
    const came = sql`granted_ver > ${from} and granted_ver <= ${to} and (ended_ver is null or ended_ver > ${to})`;
    const went = sql`granted_ver <= ${from} and ended_ver > ${from} and ended_ver <= ${to}`;
    const all = from < 0;
    const [opened, closed, holdsCame, holdsWent, claimsCame, claimsWent] = await Promise.all([
      rows<{ id: string; ttlMs: number }>(
        database.db,
        sql`select id, ttl_ms as "ttlMs" from sessions where project_id = ${projectId} and opened_ver > ${from} and opened_ver <= ${to} and (ended_ver is null or ended_ver > ${to})`,
      ),
      all ? [] : rows<{ id: string }>(database.db, sql`select id from sessions where project_id = ${projectId} and opened_ver <= ${from} and ended_ver > ${from} and ended_ver <= ${to}`),
      rows<Omit<IndexedHold, 'fence'> & { fence: string }>(
        database.db,
        sql`select h.id, h.session_id as session, f.slug as label, h.fence from holds h left join features f on f.id = h.feature_id where h.project_id = ${projectId} and ${came} order by h.fence`,
      ),
      all ? [] : rows<{ id: string; as: 'released' | 'lost' | 'forced' | 'handed_over' }>(database.db, sql`select id, ended_as as "as" from holds where project_id = ${projectId} and ${went}`),
      rows<{ hold: string; node: string; mode: 'read' | 'write'; display: string }>(
        database.db,
        sql`select hold_id as hold, node, mode, display from claims where project_id = ${projectId} and ${came}`,
      ),
      all ? [] : rows<{ hold: string; node: string; mode: 'read' | 'write' }>(database.db, sql`select hold_id as hold, node, mode from claims where project_id = ${projectId} and ${went}`),
    ]);
    return {
      claimsEnded: claimsWent,
      holdsEnded: holdsWent,
      sessionsClosed: closed.map(({ id }) => id),
      sessionsOpened: opened,
      holdsGranted: holdsCame.map((hold) => ({ ...hold, fence: Number(hold.fence) })),
      claimsGranted: claimsCame,
    };
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
      for (const id of projectIds) await bringUp(id);
    },
  };
}
