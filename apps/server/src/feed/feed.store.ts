import { sql } from 'drizzle-orm';
import { type Queryable, rows } from '../engines/database/database.ts';
import { isUuid } from '../platform/ids.ts';

export type EventRow = {
  seq: number;
  type: string;
  at: string;
  engineerId: string | null;
  sessionId: string | null;
  correlationId: string | null;
  payload: {
    engineer: { id: string; name: string } | null;
    agent: string | null;
    feature: { id: string; slug: string; title: string } | null;
    data: Record<string, unknown>;
  };
};

/** Where a project's history stands. `oldest` is the first event still kept, `head + 1` when none is. */
export type Position = { epoch: string; head: number; oldest: number };
export type EventRows = { epoch: string; head: number; events: EventRow[] };

/** Undefined for a project that does not exist. */
export async function position(on: Queryable, projectId: string): Promise<Position | undefined> {
  if (!isUuid(projectId)) return undefined;
  const [row] = await rows<{ epoch: string; head: string; oldest: string }>(
    on,
    sql`select l.ledger_id as epoch, l.event_seq as head,
          coalesce((select min(e.seq) from events e where e.project_id = l.project_id), l.event_seq + 1) as oldest
        from ledgers l where l.project_id = ${projectId}`,
  );
  return row && { epoch: row.epoch, head: Number(row.head), oldest: Number(row.oldest) };
}

/** Where each of these projects stands, in one query. */
export async function heads(on: Queryable, projectIds: string[]): Promise<{ projectId: string; epoch: string; head: number }[]> {
  const found = await rows<{ projectId: string; epoch: string; head: string }>(
    on,
    sql`select project_id as "projectId", ledger_id as epoch, event_seq as head from ledgers where project_id = any(${sql.param(projectIds)}::uuid[])`,
  );
  return found.map((row) => ({ ...row, head: Number(row.head) }));
}

type JoinedRow = Omit<EventRow, 'seq'> & { epoch: string; head: string; seq: string | null };

/** The events after `after`, oldest first, and where the history stood in that same snapshot. */
export async function eventsAfter(on: Queryable, projectId: string, after: number, limit: number): Promise<EventRows | undefined> {
  const found = await rows<JoinedRow>(
    on,
    sql`select l.ledger_id as epoch, l.event_seq as head, e.seq, e.type,
          to_char(e.at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at,
          e.engineer_id as "engineerId", e.session_id as "sessionId", e.correlation_id as "correlationId", e.payload
        from ledgers l left join lateral (
          select * from events where project_id = l.project_id and seq > ${after} order by seq limit ${limit}
        ) e on true
        where l.project_id = ${projectId} order by e.seq`,
  );
  const [first] = found;
  if (!first) return undefined;
  const events = found.flatMap(({ seq, ...event }) => (seq === null ? [] : [{ ...event, seq: Number(seq) }]));
  return { epoch: first.epoch, head: Number(first.head), events };
}
