import { sql } from 'drizzle-orm';
import type { Finished } from '@nexus/contract';
import { ancestorsOf, baseOf, type Claim, covers, overlaps, subtreeRange } from '@nexus/paths';
import { type Queryable, rows } from '../engines/database/database.ts';

/** Of these holds' open claims, or of those at `nodes`, the written ones: given back at this commit. Before they are ended. */
export const rememberFinished = (tx: Queryable, holdIds: string[], commit: string, nodes?: string[]) =>
  tx.execute(sql`
    insert into finished_paths (project_id, node, base, kind, display, commit, hold_id, at)
    select distinct on (c.node) c.project_id, c.node, c.base, c.kind, c.display, ${commit}, c.hold_id, now() from claims c
    where c.hold_id = any(${sql.param(holdIds)}::uuid[]) and c.mode = 'write' and c.kind <> 'resource' and c.ended_ver is null
    ${nodes ? sql`and c.node = any(${sql.param(nodes)}::text[])` : sql``}
    order by c.node, c.granted_ver desc
    on conflict (project_id, node) do update
    set kind = excluded.kind, display = excluded.display, commit = excluded.commit, hold_id = excluded.hold_id, at = excluded.at`);

type Row = Finished & Claim;

/** More than this many is no list to read. */
const MOST = 50;

/** For each of `wanted`: where it, or what covers it or lies below it, was given back, latest first; each commit once. */
export async function finishedOn(on: Queryable, projectId: string, wanted: Claim[]): Promise<Finished[][]> {
  if (wanted.length === 0) return [];
  const bases = wanted.map(({ node }) => baseOf(node));
  const nodes = [...new Set(bases.flatMap((base) => [base, ...ancestorsOf(base)]))];
  const ranges = bases.map(subtreeRange);
  const found = await rows<Row>(
    on,
    sql`
    with candidate as (
      select f.* from unnest(${sql.param(nodes)}::text[]) as at(node)
      cross join lateral (select * from finished_paths where project_id = ${projectId} and node = at.node offset 0) f
      union
      select f.* from unnest(${sql.param(ranges.map(({ lo }) => lo))}::text[], ${sql.param(ranges.map(({ hi }) => hi))}::text[]) as below(lo, hi)
      cross join lateral (
        select * from finished_paths where project_id = ${projectId} and node >= below.lo and node < below.hi order by at desc limit ${MOST}
      ) f
      union
      select * from finished_paths where project_id = ${projectId} and base = any(${sql.param(nodes)}::text[])
    )
    select c.display as path, c.commit, c.at, e.name as "engineerName", s.agent, h.session_id as "sessionId", f.slug as "featureSlug",
      c.node, c.kind, c.display, 'write' as mode
    from candidate c join holds h on h.id = c.hold_id join sessions s on s.id = h.session_id join engineers e on e.id = h.engineer_id
    left join features f on f.id = coalesce(h.feature_id, h.landing_of)
    order by c.at desc, c.node`,
  );
  return wanted.map((claim) => {
    const about = found.filter((row) => overlaps(claim, row));
    return about
      .filter((row, position) => about.findIndex(({ commit }) => commit === row.commit) === position)
      .slice(0, MOST)
      .map(({ node, kind, mode, display, ...row }) => ({
        ...row,
        // The narrower name: what was wanted, when all around it was given back.
        path: covers({ node, kind, mode }, claim) ? claim.display : display,
        at: new Date(row.at).toISOString(),
      }));
  });
}

export const forgetFinished = (on: Queryable) => on.execute(sql`delete from finished_paths where at < now() - interval '30 days'`);
