import { sql, type SQL } from 'drizzle-orm';
import type { HeldOnce } from '@nexus/contract';
import { ancestorsOf, baseOf, type Claim, subtreeRange } from '@nexus/paths';
import { type Queryable, rows } from '../engines/database/database.ts';

export type Counted = Pick<Claim, 'node' | 'kind' | 'display'> & { projectId: string; refused: number; denied: number };

export const addContention = (on: Queryable, counted: Counted[]) =>
  on.execute(sql`
    insert into contention (project_id, day, node, kind, display, refused, denied, last_at)
    select c."projectId", (now() at time zone 'utc')::date, c.node, c.kind, c.display, c.refused, c.denied, now()
    from jsonb_to_recordset(${JSON.stringify(counted)}::jsonb)
      as c("projectId" uuid, node text, kind text, display text, refused int, denied int)
    order by 1, 3
    on conflict (project_id, day, node) do update
    set refused = contention.refused + excluded.refused, denied = contention.denied + excluded.denied, last_at = excluded.last_at`);

type Kept = Pick<Claim, 'node' | 'kind' | 'mode' | 'display'>;
export type HoldOnce = Omit<HeldOnce, 'paths'> & { claims: Kept[] };

const time = (value: string) => new Date(value).toISOString();

/** Rows of claims, open and ended, that may overlap: at the path, above, below, and patterns from there. By index. */
const candidates = (projectId: string, claim: Claim): SQL => {
  const base = baseOf(claim.node);
  const nodes = sql`${sql.param([base, ...ancestorsOf(base)])}::text[]`;
  const { lo, hi } = subtreeRange(base);
  const where = [sql`ended_ver is null`, sql`ended_ver is not null`].flatMap((standing) => [
    sql`${standing} and node = any(${nodes})`,
    sql`${standing} and node >= ${lo} and node < ${hi}`,
  ]);
  const all = [...where, sql`base = any(${nodes})`].map(
    (one) => sql`select hold_id from claims where project_id = ${projectId} and ${one}`,
  );
  return sql.join(all, sql` union `);
};

/** Holds below a fence, newest first, each with all claims that it ever had. */
export async function holdsBefore(
  on: Queryable,
  projectId: string,
  of: { fence?: number | undefined; session?: string | undefined; claim?: Claim | undefined; ended?: true; limit: number },
): Promise<HoldOnce[]> {
  const found = await rows<Omit<HoldOnce, 'fence'> & { fence: string | number }>(
    on,
    sql`
    with page as (
      select * from holds where project_id = ${projectId}
        ${of.fence === undefined ? sql`` : sql`and fence < ${of.fence}`}
        ${of.session === undefined ? sql`` : sql`and session_id = ${of.session}`}
        ${of.ended ? sql`and ended_ver is not null` : sql``}
        ${of.claim ? sql`and id in (${candidates(projectId, of.claim)})` : sql``}
      order by fence desc limit ${of.limit}
    )
    select h.fence, h.session_id as "sessionId", h.engineer_id as "engineerId", e.name as "engineerName", s.agent, f.slug as "featureSlug",
      h.reason, h.granted_at as "grantedAt", h.ended_at as "endedAt", h.ended_as as "endedAs", h.parked_at is not null as parked, h.written,
      coalesce((
        select jsonb_agg(distinct jsonb_build_object('node', c.node, 'kind', c.kind, 'mode', c.mode, 'display', c.display))
        from (
          select * from claims where hold_id = h.id and ended_ver is null union all select * from claims where hold_id = h.id and ended_ver is not null
        ) c
      ), '[]'::jsonb) as claims
    from page h join sessions s on s.id = h.session_id join engineers e on e.id = h.engineer_id left join features f on f.id = h.feature_id
    order by h.fence desc`,
  );
  return found.map((row) => ({
    ...row,
    fence: Number(row.fence),
    grantedAt: time(row.grantedAt),
    endedAt: row.endedAt && time(row.endedAt),
  }));
}

export type Refusals = Pick<Claim, 'node' | 'kind' | 'display'> & { refused: number; denied: number; lastAt: string };

/** Counted since a day, by path. */
export async function refusalsSince(on: Queryable, projectId: string, since: Date): Promise<Refusals[]> {
  const found = await rows<Refusals>(
    on,
    sql`select node, min(kind) as kind, min(display) as display, sum(refused)::int as refused, sum(denied)::int as denied, max(last_at) as "lastAt"
        from contention where project_id = ${projectId} and day >= (${since.toISOString()}::timestamptz at time zone 'utc')::date group by node`,
  );
  return found.map((row) => ({ ...row, lastAt: time(row.lastAt) }));
}

export type Waited = { paths: string[]; minutes: number; granted: boolean };

/** Waits that were there since then, with the minutes of each that fall into that time; open ones until now. */
export const waitedSince = (on: Queryable, projectId: string, since: Date): Promise<Waited[]> =>
  rows(
    on,
    sql`select case when w.ended_at is null then coalesce(f.touches, w.paths) else w.paths end as paths,
          (extract(epoch from coalesce(w.ended_at, now()) - greatest(w.created_at, ${since.toISOString()}::timestamptz)) / 60)::float8 as minutes,
          w.ended_as is not distinct from 'granted' as granted
        from waits w left join features f on f.id = w.feature_id
        where w.project_id = ${projectId} and (w.ended_at is null or w.ended_at >= ${since.toISOString()}::timestamptz)`,
  );

type Totals = Record<
  | 'tried'
  | 'denied'
  | 'granted'
  | 'released'
  | 'lost'
  | 'forced'
  | 'handedOver'
  | 'asked'
  | 'yielded'
  | 'refused'
  | 'told'
  | 'written'
  | 'undeclared'
  | 'unwritten'
  | 'undeclaredHolds',
  number
>;

export async function totalsSince(on: Queryable, projectId: string, since: Date): Promise<Totals> {
  const from = sql`${since.toISOString()}::timestamptz`;
  const ended = (as: string) => sql`count(*) filter (where ended_at >= ${from} and ended_as = ${as})::int`;
  const told = (what: string) => sql`coalesce(${sql.raw(what)} filter (where ended_at >= ${from} and written is not null), 0)::int`;
  const [row] = await rows<Totals>(
    on,
    sql`select * from
      (select coalesce(sum(edits), 0)::int as tried, coalesce(sum(denials), 0)::int as denied from sessions
        where project_id = ${projectId} and (ended_at is null or ended_at >= ${from})) s,
      (select count(*) filter (where granted_at >= ${from})::int as granted, ${ended('released')} as released, ${ended('lost')} as lost,
        ${ended('forced')} as forced, ${ended('handed_over')} as "handedOver", ${told('count(*)')} as told,
        ${told("sum((written->>'count')::int)")} as written, ${told("sum(jsonb_array_length(written->'undeclared'))")} as undeclared,
        ${told("sum(jsonb_array_length(written->'unwritten'))")} as unwritten,
        ${told("sum((jsonb_array_length(written->'undeclared') > 0)::int)")} as "undeclaredHolds" from holds where project_id = ${projectId}) h,
      (select count(*)::int as asked, count(*) filter (where answer = 'yielded')::int as yielded,
        count(*) filter (where answer = 'refused')::int as refused from requests where project_id = ${projectId} and created_at >= ${from}) r`,
  );
  if (!row) throw new Error('An aggregate answers a row.');
  return row;
}

/** How often each of these was claimed since then. */
export async function claimedSince(on: Queryable, projectId: string, since: Date, nodes: string[]): Promise<Map<string, number>> {
  if (nodes.length === 0) return new Map();
  const at = (standing: SQL) => sql`
    select node from claims where project_id = ${projectId} and node = any(${sql.param(nodes)}::text[]) and ${standing}
      and granted_at >= ${since.toISOString()}::timestamptz`;
  const found = await rows<{ node: string; times: number }>(
    on,
    sql`select node, count(*)::int as times from (${at(sql`ended_ver is null`)} union all ${at(sql`ended_ver is not null`)}) c group by node`,
  );
  return new Map(found.map(({ node, times }) => [node, times]));
}
