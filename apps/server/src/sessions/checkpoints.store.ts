import { sql } from 'drizzle-orm';
import type { Checkpoint } from '@nexus/contract';
import { type Queryable, rows } from '../engines/database/database.ts';

type Row = Omit<Checkpoint, 'fence'> & { fence: string | number };
export type NewCheckpoint = Omit<Checkpoint, 'isLatest' | 'createdAt' | 'engineerName' | 'agent'> & { projectId: string };

/** The last checkpoint of each of these features. */
export async function latestCheckpoints(on: Queryable, projectId: string, featureIds: string[]): Promise<Map<string, Checkpoint>> {
  if (featureIds.length === 0) return new Map();
  const found = await rows<Row>(
    on,
    sql`select c.id, c.session_id as "sessionId", c.feature_id as "featureId", c.engineer_id as "engineerId", e.name as "engineerName", s.agent,
          c.type, c.state_hash as "stateHash", c.active_claims as "activeClaims", c.context, c.notes, c.fence, c.is_latest as "isLatest",
          c.created_at as "createdAt"
        from checkpoints c join engineers e on e.id = c.engineer_id join sessions s on s.id = c.session_id
        where c.project_id = ${projectId} and c.feature_id = any(${sql.param(featureIds)}::uuid[]) and c.is_latest`,
  );
  return new Map(
    found.map((row) => [row.featureId, { ...row, fence: Number(row.fence), createdAt: new Date(row.createdAt).toISOString() }]),
  );
}

/** Takes the place of the last one. */
export async function insertCheckpoint(tx: Queryable, c: NewCheckpoint): Promise<void> {
  await tx.execute(sql`update checkpoints set is_latest = false where feature_id = ${c.featureId} and is_latest`);
  await tx.execute(sql`
    insert into checkpoints (id, project_id, feature_id, session_id, engineer_id, fence, type, state_hash, active_claims, context, notes)
    values (${c.id}, ${c.projectId}, ${c.featureId}, ${c.sessionId}, ${c.engineerId}, ${c.fence}, ${c.type}, ${c.stateHash},
      ${JSON.stringify(c.activeClaims)}::jsonb, ${JSON.stringify(c.context)}::jsonb, ${c.notes})`);
}

/** Those that are both older and more than what a feature keeps, by project. */
export const surplusCheckpoints = (
  on: Queryable,
  keep: { keepDays: number; keepCount: number },
): Promise<Array<{ projectId: string; ids: string[] }>> =>
  rows(
    on,
    sql`select project_id as "projectId", array_agg(id) as ids
        from (select id, project_id, is_latest, created_at,
                row_number() over (partition by feature_id order by created_at desc, id desc) as nth from checkpoints) ranked
        where nth > ${keep.keepCount} and not is_latest and created_at < now() - make_interval(secs => ${keep.keepDays * 86_400})
        group by project_id`,
  );

export const deleteCheckpoints = (tx: Queryable, projectId: string, ids: string[]) =>
  tx.execute(sql`delete from checkpoints where project_id = ${projectId} and id = any(${sql.param(ids)}::uuid[]) and not is_latest`);
