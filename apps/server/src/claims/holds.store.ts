import { sql } from 'drizzle-orm';
import { ancestorsOf, baseOf, type Claim, compatible, formatClaim, overlaps, subtreeRange } from '@nexus/paths';
import { type Queryable, rows } from '../engines/database/database.ts';
import type { HoldEnd } from '../engines/leases/leases.ts';

export type Hold = {
  id: string;
  projectId: string;
  sessionId: string;
  /** The holding session and its ancestors: each of them may end the hold. */
  lineage: string[];
  engineerId: string;
  engineerName: string;
  agent: string;
  featureId: string | null;
  featureSlug: string | null;
  featureTitle: string | null;
  fence: number;
  grantedAt: string;
  parkedAt: string | null;
  /** Of a hold that keeps the paths of a feature that is done: what has to land. Its slug and title are that feature's. */
  landing: { featureId: string; commit: string | null } | null;
  endedAs: HoldEnd | null;
};

export type HeldClaim = { claim: Claim; grantedAt: string; hold: Hold };

/** What stands in the way: the claim that was asked for, and the one that is held. */
export type Obstacle = { wanted: Claim; held: HeldClaim };

const holdColumns = sql`
  h.id, h.project_id as "projectId", h.session_id as "sessionId", s.lineage, h.engineer_id as "engineerId", e.name as "engineerName", s.agent,
  h.feature_id as "featureId", coalesce(f.slug, l.slug) as "featureSlug", coalesce(f.title, l.title) as "featureTitle", h.fence, h.granted_at as "grantedAt", h.parked_at as "parkedAt", h.ended_as as "endedAs",
  h.landing_of as "landingOf", h.commit`;
const holdJoins = sql`
  join sessions s on s.id = h.session_id join engineers e on e.id = h.engineer_id left join features f on f.id = h.feature_id left join features l on l.id = h.landing_of`;
const claimColumns = sql`c.kind, c.mode, c.node, c.display, c.granted_at as "claimedAt"`;

type HoldRow = Omit<Hold, 'fence' | 'landing'> & { fence: string | number; landingOf: string | null; commit: string | null };
type ClaimRow = HoldRow & Claim & { claimedAt: string };

const time = (value: string) => new Date(value).toISOString();
const toHold = (row: HoldRow): Hold => ({
  id: row.id,
  projectId: row.projectId,
  sessionId: row.sessionId,
  lineage: row.lineage,
  engineerId: row.engineerId,
  engineerName: row.engineerName,
  agent: row.agent,
  featureId: row.featureId,
  featureSlug: row.featureSlug,
  featureTitle: row.featureTitle,
  fence: Number(row.fence),
  grantedAt: time(row.grantedAt),
  parkedAt: row.parkedAt && time(row.parkedAt),
  landing: row.landingOf ? { featureId: row.landingOf, commit: row.commit } : null,
  endedAs: row.endedAs,
});
const toHeld = (row: ClaimRow): HeldClaim => ({
  claim: { kind: row.kind, mode: row.mode, node: row.node, display: row.display },
  grantedAt: time(row.claimedAt),
  hold: toHold(row),
});

/**
 * What others hold in the way of `wanted`. Candidates by node (the paths themselves, what lies above, what lies below) and
 * by the base of what is held as a glob, each through an index; then exact. `lineage`: whose claims are no obstacle.
 */
export async function obstacles(on: Queryable, projectId: string, wanted: Claim[], lineage: string[]): Promise<Obstacle[]> {
  if (wanted.length === 0) return [];
  const bases = wanted.map(({ node }) => baseOf(node));
  const nodes = [...new Set(bases.flatMap((base) => [base, ...ancestorsOf(base)]))];
  const ranges = bases.map(subtreeRange);
  const likes = wanted.map(({ kind, node }) => (kind === 'glob' ? likeOf(node) : null));
  // `offset 0` keeps each look-up a search of the index by (project, node): joined freely, and without statistics on the
  // project, the planner reads every claim of it once for each path.
  const found = await rows<ClaimRow>(
    on,
    sql`
    with candidate as (
      select c.* from unnest(${sql.param(nodes)}::text[]) as at(node)
      cross join lateral (select * from claims where project_id = ${projectId} and ended_ver is null and node = at.node offset 0) c
      union
      select c.* from unnest(
        ${sql.param(ranges.map(({ lo }) => lo))}::text[], ${sql.param(ranges.map(({ hi }) => hi))}::text[], ${sql.param(likes)}::text[]
      ) as below(lo, hi, alike)
      cross join lateral (
        select * from claims where project_id = ${projectId} and ended_ver is null and node >= below.lo and node < below.hi
        and (below.alike is null or kind <> 'file' or node like below.alike) offset 0
      ) c
      union
      select c.* from (select * from claims where project_id = ${projectId} and ended_ver is null and base is not null offset 0) c
      where c.base = any(${sql.param(nodes)}::text[])
    )
    select ${holdColumns}, ${claimColumns} from candidate c join holds h on h.id = c.hold_id ${holdJoins}
    where not h.session_id = any(${sql.param(lineage)}::uuid[])
    order by c.node, h.fence`,
  );
  return obstaclesAmong(wanted, found.map(toHeld));
}

/** A SQL pattern that every path which the glob matches is like: `%` and `_` pass over slashes too, and `**` may be nothing. */
const likeOf = (glob: string): string => glob.replace(/[%_]/g, '\\$&').replaceAll('/**', '%').replaceAll('*', '%').replaceAll('?', '_');

/** The exact answer over given candidates. */
export const obstaclesAmong = (wanted: Claim[], held: HeldClaim[]): Obstacle[] =>
  wanted.flatMap((claim) =>
    held
      .filter((other) => overlaps(claim, other.claim) && !compatible(claim.mode, other.claim.mode))
      .map((other) => ({ wanted: claim, held: other })),
  );

/** Every claim held in the project, by path. */
export async function heldClaims(on: Queryable, projectId: string, of: { sessions?: string[] } = {}): Promise<HeldClaim[]> {
  const found = await rows<ClaimRow>(
    on,
    sql`select ${holdColumns}, ${claimColumns} from claims c join holds h on h.id = c.hold_id ${holdJoins}
        where c.project_id = ${projectId} and c.ended_ver is null
        ${of.sessions ? sql`and h.session_id = any(${sql.param(of.sessions)}::uuid[])` : sql``}
        order by c.node, h.fence`,
  );
  return found.map(toHeld);
}

/** What these sessions hold, as it would be claimed. */
export const pathsHeldBy = async (on: Queryable, projectId: string, sessions: string[]): Promise<string[]> => [
  ...new Set((await heldClaims(on, projectId, { sessions })).map(({ claim }) => formatClaim(claim))),
];

export async function claimsOf(on: Queryable, holdIds: string[]): Promise<Array<Claim & { holdId: string }>> {
  if (holdIds.length === 0) return [];
  return rows(
    on,
    sql`select hold_id as "holdId", kind, mode, node, display from claims
        where hold_id = any(${sql.param(holdIds)}::uuid[]) and ended_ver is null order by node`,
  );
}

/** What the open hold that stands for a feature has. */
export const claimsOfFeature = (on: Queryable, projectId: string, slug: string): Promise<Array<Claim & { holdId: string }>> =>
  rows(
    on,
    sql`select c.hold_id as "holdId", c.kind, c.mode, c.node, c.display from features f join claims c on c.hold_id = f.hold_id
        where f.project_id = ${projectId} and f.slug = ${slug} and c.ended_ver is null order by c.node`,
  );

/** Open holds that match; oldest first. */
export async function openHolds(
  on: Queryable,
  projectId: string,
  where: { session?: string; sessions?: string[]; engineer?: string; fence?: number; featureId?: string; landingOf?: string; adHoc?: true },
): Promise<Hold[]> {
  const found = await rows<HoldRow>(
    on,
    sql`select ${holdColumns} from holds h ${holdJoins}
        where h.project_id = ${projectId} and h.ended_ver is null
        ${where.session ? sql`and h.session_id = ${where.session}` : sql``}
        ${where.sessions ? sql`and h.session_id = any(${sql.param(where.sessions)}::uuid[])` : sql``}
        ${where.engineer ? sql`and h.engineer_id = ${where.engineer}` : sql``}
        ${where.fence !== undefined ? sql`and h.fence = ${where.fence}` : sql``}
        ${where.featureId ? sql`and h.feature_id = ${where.featureId}` : sql``}
        ${where.landingOf ? sql`and h.landing_of = ${where.landingOf}` : sql``}
        ${where.adHoc ? sql`and h.feature_id is null and h.landing_of is null` : sql``}
        order by h.fence`,
  );
  return found.map(toHold);
}

/** A hold of the project, open or ended. */
export async function holdByFence(on: Queryable, projectId: string, fence: number): Promise<Hold | undefined> {
  const [row] = await rows<HoldRow>(
    on,
    sql`select ${holdColumns} from holds h ${holdJoins} where h.project_id = ${projectId} and h.fence = ${fence}`,
  );
  return row && toHold(row);
}

/** The last hold that stood for a feature, open or ended: who has it, or how it ended. */
export async function lastHoldOf(on: Queryable, featureId: string): Promise<Hold | undefined> {
  const [row] = await rows<HoldRow>(
    on,
    sql`select ${holdColumns} from holds h ${holdJoins} where h.feature_id = ${featureId} order by h.fence desc limit 1`,
  );
  return row && toHold(row);
}

/** The last holds of a session, open or ended, newest first. */
export async function lastHoldsOfSession(on: Queryable, sessionId: string, limit: number): Promise<Hold[]> {
  const found = await rows<HoldRow>(
    on,
    sql`select ${holdColumns} from holds h ${holdJoins} where h.session_id = ${sessionId} order by h.fence desc limit ${limit}`,
  );
  return found.map(toHold);
}

export const insertHold = (
  tx: Queryable,
  hold: {
    id: string;
    projectId: string;
    sessionId: string;
    engineerId: string;
    featureId: string | null;
    fence: number;
    reason: string | null;
    landing: { featureId: string; commit: string | null } | null;
    ver: number;
  },
) =>
  tx.execute(sql`
    insert into holds (id, project_id, session_id, engineer_id, feature_id, fence, reason, landing_of, commit, parked_at, granted_ver)
    values (${hold.id}, ${hold.projectId}, ${hold.sessionId}, ${hold.engineerId}, ${hold.featureId}, ${hold.fence}, ${hold.reason},
      ${hold.landing?.featureId ?? null}, ${hold.landing?.commit ?? null}, case when ${hold.landing !== null}::boolean then now() end, ${hold.ver})`);

/** One statement for any number of claims, so that its text, and with it its plan, is always the same. */
export const insertClaims = (tx: Queryable, hold: { id: string; projectId: string }, claims: Claim[], ver: number) =>
  tx.execute(sql`
    insert into claims (id, project_id, hold_id, kind, mode, node, base, display, granted_ver)
    select gen_random_uuid(), ${hold.projectId}, ${hold.id}, c.kind, c.mode, c.node, c.base, c.display, ${ver}
    from jsonb_to_recordset(${JSON.stringify(claims.map(toRow))}::jsonb) as c(kind text, mode text, node text, base text, display text)`);

const toRow = (claim: Claim) => ({ ...claim, base: claim.kind === 'glob' ? baseOf(claim.node) : null });

/** How many globs are held in the project. */
export async function heldGlobs(on: Queryable, projectId: string): Promise<number> {
  const [row] = await rows<{ count: string | number }>(
    on,
    sql`select count(*) as count from claims where project_id = ${projectId} and ended_ver is null and base is not null`,
  );
  return Number(row?.count ?? 0);
}

/** Ends claims: all of a hold, or those at `nodes`. Answers them. */
export const endClaims = (tx: Queryable, holdIds: string[], ver: number, nodes?: string[]): Promise<Array<Claim & { holdId: string }>> =>
  rows(
    tx,
    sql`update claims set ended_ver = ${ver}
        where hold_id = any(${sql.param(holdIds)}::uuid[]) and ended_ver is null
        ${nodes ? sql`and node = any(${sql.param(nodes)}::text[])` : sql``}
        returning hold_id as "holdId", kind, mode, node, display`,
  );

export const endHolds = (tx: Queryable, holdIds: string[], ver: number, as: HoldEnd) =>
  tx.execute(
    sql`update holds set ended_ver = ${ver}, ended_at = now(), ended_as = ${as} where id = any(${sql.param(holdIds)}::uuid[]) and ended_ver is null`,
  );

export const parkHolds = (tx: Queryable, holdIds: string[]) =>
  tx.execute(sql`update holds set parked_at = now() where id = any(${sql.param(holdIds)}::uuid[]) and ended_ver is null`);

/** Parked holds whose time is over: those left for whoever resumes, and those that wait for a commit to land. In seconds. */
export const parkedLongerThan = (
  on: Queryable,
  { parked, landing }: { parked: number; landing: number },
): Promise<Array<{ projectId: string; id: string }>> =>
  rows(
    on,
    sql`select project_id as "projectId", id from holds where ended_ver is null
        and parked_at < now() - make_interval(secs => case when landing_of is null then ${parked}::double precision else ${landing}::double precision end)`,
  );
