import { sql } from 'drizzle-orm';
import type { Why, Written } from '@nexus/contract';
import { ancestorsOf, baseOf, type Claim, overlaps, subtreeRange } from '@nexus/paths';
import { type Queryable, rows } from '../engines/database/database.ts';

type Area = Pick<Claim, 'node' | 'kind'>;

/**
 * What was claimed for writing at any time since the feature's hold was granted, by the holder's family and by whoever
 * else works in its worktree: there nobody can tell whose write it is, and each of them declared theirs.
 */
export const declaredSince = (on: Queryable, projectId: string, slug: string): Promise<Area[]> =>
  rows<Area>(
    on,
    sql`
    with mine as (
      select h.granted_ver, s.lineage, s.metadata->>'machine' as machine, s.metadata->>'worktree' as worktree
      from features f join holds h on h.id = f.hold_id join sessions s on s.id = h.session_id
      where f.project_id = ${projectId} and f.slug = ${slug}
    ), beside as (
      select h.id from mine join holds h on h.project_id = ${projectId} and (h.ended_ver is null or h.ended_ver > mine.granted_ver)
      join sessions s on s.id = h.session_id
      where s.lineage && mine.lineage or (s.metadata->>'machine' = mine.machine and s.metadata->>'worktree' = mine.worktree)
    )
    select distinct c.node, c.kind from mine, beside join claims c on c.hold_id = beside.id
    where c.mode = 'write' and (c.ended_ver is null or c.ended_ver > mine.granted_ver)`,
  );

/** Under the lock that ends the hold: what it told, and every path by its name. */
export const rememberWritten = (
  tx: Queryable,
  hold: { id: string; projectId: string },
  written: Written,
  paths: Array<Pick<Claim, 'node' | 'display'> & { declared: boolean }>,
) =>
  tx.execute(sql`
    with told as (update holds set written = ${JSON.stringify(written)}::jsonb where id = ${hold.id})
    insert into written_paths (project_id, hold_id, node, display, declared)
    select ${hold.projectId}, ${hold.id}, w.node, w.display, w.declared
    from jsonb_to_recordset(${JSON.stringify(paths)}::jsonb) as w(node text, display text, declared boolean) on conflict do nothing`);

type Wrote = Why['writtenBy'][number];

/** Who wrote there lately, newest first. What lies below a directory may be much: the index finds it, the limit cuts it. */
export async function writtenBy(on: Queryable, projectId: string, claim: Claim, most: number): Promise<Wrote[]> {
  const base = baseOf(claim.node);
  const { lo, hi } = subtreeRange(base);
  const found = await rows<Omit<Wrote, 'fence'> & { fence: string | number; node: string }>(
    on,
    sql`
    select w.node, w.display as path, w.at, w.declared, h.written->>'explanation' as explanation, h.fence, h.session_id as "sessionId",
      s.agent, e.name as "engineerName", f.slug as "featureSlug"
    from written_paths w join holds h on h.id = w.hold_id join sessions s on s.id = h.session_id join engineers e on e.id = h.engineer_id
    left join features f on f.id = h.feature_id
    where w.project_id = ${projectId} and w.at > now() - interval '30 days'
      and (w.node = any(${sql.param([base, ...ancestorsOf(base)])}::text[]) or (w.node >= ${lo} and w.node < ${hi}))
    order by w.at desc, w.node limit ${claim.kind === 'glob' ? most * 100 : most}`,
  );
  return found
    .filter(({ node }) => overlaps(claim, { node, kind: 'file' }))
    .slice(0, most)
    .map(({ node: _node, ...row }) => ({ ...row, fence: Number(row.fence), at: new Date(row.at).toISOString() }));
}
