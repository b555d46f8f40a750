import { sql, type SQL } from 'drizzle-orm';
import type { z } from 'zod';
import type { Allocation, AllocationsQuery } from '@nexus/contract';
import { type Queryable, rows } from '../engines/database/database.ts';

export type AllocationRow = Allocation & { node: string | null; machine: string | null };

const claimed = sql`c.id is not null`;
const select = sql`
  select a.id, a.kind, a.name, a.number, a.display as resource, a.session_id as "sessionId", s.engineer_id as "engineerId", e.name as "engineerName",
    s.agent, h.fence, a.at, a.node, a.machine, case when a.kind = 'number' then 'given' when ${claimed} then 'held' else 'free' end as state
  from allocations a join sessions s on s.id = a.session_id join engineers e on e.id = s.engineer_id left join holds h on h.id = a.hold_id
  left join claims c on c.hold_id = a.hold_id and c.node = a.node and c.granted_ver = a.ver and c.ended_ver is null`;

async function read(on: Queryable, where: SQL): Promise<AllocationRow[]> {
  const found = await rows<Omit<AllocationRow, 'number' | 'fence'> & { number: string | number; fence: string | number | null }>(
    on,
    sql`${select} where ${where}`,
  );
  return found.map((row) => ({
    ...row,
    number: Number(row.number),
    fence: row.fence === null ? null : Number(row.fence),
    at: new Date(row.at).toISOString(),
  }));
}

/** The port that the session holds under this name, on this machine or, where that is null, on all. */
export const portOf = async (on: Queryable, sessionId: string, name: string, machine: string | null): Promise<AllocationRow | undefined> =>
  (
    await read(
      on,
      sql`a.session_id = ${sessionId} and a.kind = 'port' and a.name = ${name} and a.machine is not distinct from ${machine} and ${claimed}
          order by a.id desc limit 1`,
    )
  )[0];

/** Newest first, below `before`. */
export const allocationsBefore = (
  on: Queryable,
  projectId: string,
  { kind, name, state, limit }: Omit<z.output<typeof AllocationsQuery>, 'cursor'>,
  before: string | undefined,
): Promise<AllocationRow[]> =>
  read(
    on,
    sql`a.project_id = ${projectId}
        ${before === undefined ? sql`` : sql`and a.id < ${before}`} ${kind === undefined ? sql`` : sql`and a.kind = ${kind}`}
        ${name === undefined ? sql`` : sql`and a.name = ${name}`}
        ${state === undefined ? sql`` : state === 'given' ? sql`and a.kind = 'number'` : sql`and a.kind = 'port' and ${state === 'held' ? claimed : sql`not ${claimed}`}`}
        order by a.id desc limit ${limit}`,
  );

export const insertAllocation = (
  tx: Queryable,
  a: Pick<Allocation, 'id' | 'kind' | 'name' | 'number' | 'sessionId'> & {
    projectId: string;
    claim?: { holdId: string; node: string; display: string; machine: string | null; ver: number };
  },
) =>
  tx.execute(sql`
    insert into allocations (id, project_id, kind, name, number, session_id, hold_id, node, display, machine, ver)
    values (${a.id}, ${a.projectId}, ${a.kind}, ${a.name}, ${a.number}, ${a.sessionId}, ${a.claim?.holdId ?? null}, ${a.claim?.node ?? null},
      ${a.claim?.display ?? null}, ${a.claim?.machine ?? null}, ${a.claim?.ver ?? null})`);

/** The last number of a counter. By its unique index, from the end. */
export async function lastNumber(on: Queryable, projectId: string, name: string): Promise<number | undefined> {
  const [row] = await rows<{ number: string | number }>(
    on,
    sql`select number from allocations where project_id = ${projectId} and name = ${name} and kind = 'number' order by number desc limit 1`,
  );
  return row && Number(row.number);
}

export type HeldPort = {
  node: string;
  display: string;
  sessionId: string;
  parkedAt: string | null;
  engineerName: string;
  agent: string;
  featureSlug: string | null;
};

/** All that is held of ports, by whomever: ':' ends the kind's name, and ';' is the byte after it. */
export const heldPorts = (on: Queryable, projectId: string): Promise<HeldPort[]> =>
  rows(
    on,
    sql`select c.node, c.display, h.session_id as "sessionId", h.parked_at as "parkedAt", e.name as "engineerName", s.agent, f.slug as "featureSlug"
        from claims c join holds h on h.id = c.hold_id join sessions s on s.id = h.session_id join engineers e on e.id = h.engineer_id
        left join features f on f.id = h.feature_id
        where c.project_id = ${projectId} and c.ended_ver is null and c.node >= 'res:port:' and c.node < 'res:port;' order by c.node`,
  );

/** Where the session was opened, as its client says. */
export async function machineOf(on: Queryable, sessionId: string): Promise<string | undefined> {
  const [row] = await rows<{ machine: string | null }>(
    on,
    sql`select metadata->>'machine' as machine from sessions where id = ${sessionId}`,
  );
  return row?.machine ?? undefined;
}
