import { sql } from 'drizzle-orm';
import { type Queryable, rows } from '../engines/database/database.ts';
import type { HoldEnd, IndexChanges, IndexedHold, IndexVersion } from '../engines/leases/leases.ts';

export async function ledgerOf(on: Queryable, projectId: string): Promise<IndexVersion | undefined> {
  const [row] = await rows<{ ledger_id: string; ver: string }>(on, sql`select ledger_id, ver from ledgers where project_id = ${projectId}`);
  return row && { ledger: row.ledger_id, ver: Number(row.ver) };
}

/** Begins another history where the ledger is still the one that was seen and still behind; true when it did. */
export async function renewLedger(on: Queryable, projectId: string, seen: IndexVersion): Promise<boolean> {
  const renewed = await rows(
    on,
    sql`update ledgers set ledger_id = gen_random_uuid(), fence = fence + 1000000, ver = ver + 1
        where project_id = ${projectId} and ledger_id = ${seen.ledger} and ver < ${seen.ver} returning ledger_id`,
  );
  return renewed.length > 0;
}

type Came = { hold: string; node: string; mode: 'read' | 'write'; display: string };

/**
 * The net difference. Read after `to` was: everything up to it is committed, and what came later is left out by its version.
 * From -1: everything that stands at `to`.
 */
export async function changesBetween(on: Queryable, projectId: string, from: number, to: number): Promise<IndexChanges> {
  const inProject = sql`project_id = ${projectId}`;
  const standing = sql`(ended_ver is null or ended_ver > ${to})`;
  const ended = sql`ended_ver > ${from} and ended_ver <= ${to}`;
  const came = sql`granted_ver > ${from} and granted_ver <= ${to} and ${standing}`;
  const went = sql`granted_ver <= ${from} and ${ended}`;
  const [sessionsOpened, sessionsClosed, holdsGranted, holdsEnded, claimsGranted, claimsEnded] = await Promise.all([
    rows<{ id: string; ttlMs: number }>(
      on,
      sql`select id, ttl_ms as "ttlMs" from sessions where ${inProject} and opened_ver > ${from} and opened_ver <= ${to} and ${standing}`,
    ),
    rows<{ id: string }>(on, sql`select id from sessions where ${inProject} and opened_ver <= ${from} and ${ended}`),
    rows<Omit<IndexedHold, 'fence'> & { fence: string }>(
      on,
      sql`select h.id, h.session_id as session, f.slug as label, h.fence
          from (select * from holds where ${inProject} and ${came}) h left join features f on f.id = h.feature_id order by h.fence`,
    ),
    rows<{ id: string; as: HoldEnd }>(on, sql`select id, ended_as as "as" from holds where ${inProject} and ${went}`),
    rows<Came>(on, sql`select hold_id as hold, node, mode, display from claims where ${inProject} and ${came}`),
    rows<Omit<Came, 'display'>>(on, sql`select hold_id as hold, node, mode from claims where ${inProject} and ${went}`),
  ]);
  return {
    claimsEnded,
    holdsEnded,
    sessionsClosed: sessionsClosed.map(({ id }) => id),
    sessionsOpened,
    holdsGranted: holdsGranted.map((hold) => ({ ...hold, fence: Number(hold.fence) })),
    claimsGranted,
  };
}
