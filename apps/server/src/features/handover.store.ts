import { sql } from 'drizzle-orm';
import type { LeftBehind } from '@nexus/contract';
import { type Claim, formatClaim } from '@nexus/paths';
import { type Queryable, rows } from '../engines/database/database.ts';

/** Of each of these features: who left it without finishing or giving it back, where, and which paths, as they stood then. */
export async function lastHolders(on: Queryable, projectId: string, featureIds: string[]): Promise<Map<string, LeftBehind>> {
  if (featureIds.length === 0) return new Map();
  const found = await rows<Omit<LeftBehind, 'paths'> & { featureId: string; claims: Claim[] }>(
    on,
    sql`select h.feature_id as "featureId", h.session_id as "sessionId", e.name as "engineerName", s.agent,
          s.metadata->>'machine' as machine, s.metadata->>'worktree' as worktree, s.metadata->>'gitBranch' as "gitBranch",
          coalesce(h.ended_at, h.parked_at, h.granted_at) as at,
          (select coalesce(jsonb_agg(jsonb_build_object('kind', c.kind, 'mode', c.mode, 'node', c.node, 'display', c.display) order by c.node), '[]')
           from claims c where c.hold_id = h.id and (c.ended_ver is null or c.ended_ver = h.ended_ver)) as claims
        from unnest(${sql.param(featureIds)}::uuid[]) as wanted(id)
        cross join lateral (
          select * from holds where feature_id = wanted.id and project_id = ${projectId} and (ended_ver is not null or parked_at is not null)
          order by fence desc limit 1
        ) h
        join sessions s on s.id = h.session_id join engineers e on e.id = h.engineer_id
        where h.ended_as is distinct from 'released'`,
  );
  return new Map(
    found.map(({ featureId, claims, at, ...left }) => [
      featureId,
      { ...left, at: new Date(at).toISOString(), paths: claims.map((claim) => formatClaim(claim)) },
    ]),
  );
}
