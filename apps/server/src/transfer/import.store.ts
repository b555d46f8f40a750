import { sql } from 'drizzle-orm';
import type { ProjectExport } from '@nexus/contract';
import { type Queryable, rows } from '../engines/database/database.ts';

/** What is written for others: the importer's row, under the name of who wrote it. */
export type Into = { projectId: string; engineerId: string };
type WithId<T> = T & { id: string };

/** Whether nothing was ever written in it; a session or an ad hoc claim is no content. */
export async function isEmpty(on: Queryable, projectId: string): Promise<boolean> {
  const [row] = await rows<{ full: boolean }>(
    on,
    sql`select exists (select 1 from features where project_id = ${projectId}) or exists (select 1 from learnings where project_id = ${projectId})
          or exists (select 1 from decisions where project_id = ${projectId}) as full`,
  );
  return row?.full === false;
}

export const insertFeatures = (
  tx: Queryable,
  { projectId, engineerId }: Into,
  features: Array<WithId<ProjectExport['features'][number]>>,
) =>
  tx.execute(sql`
    insert into features (id, project_id, slug, title, spec, status, interrupted, lane, priority, touches, depends_on, author, created_by,
      created_at, updated_at, completed_at)
    select id, ${projectId}::uuid, slug, title, spec, status, interrupted, lane, priority, touches, "dependsOn", author, ${engineerId}::uuid,
      "createdAt", "updatedAt", "completedAt"
    from jsonb_to_recordset(${JSON.stringify(features)}::jsonb) as r(id uuid, slug text, title text, spec text, status text, interrupted boolean,
      lane text, priority float8, touches jsonb, "dependsOn" jsonb, author jsonb, "createdAt" timestamptz, "updatedAt" timestamptz,
      "completedAt" timestamptz)`);

type Learning = WithId<ProjectExport['learnings'][number]> & { featureId: string | null };
export const insertLearnings = (tx: Queryable, { projectId, engineerId }: Into, learnings: Learning[]) =>
  tx.execute(sql`
    insert into learnings (id, project_id, feature_id, engineer_id, author, scope, kind, tags, content, fence, created_at)
    select id, ${projectId}::uuid, "featureId", ${engineerId}::uuid, author, scope, kind, tags, content, fence, "createdAt"
    from jsonb_to_recordset(${JSON.stringify(learnings)}::jsonb) as r(id uuid, "featureId" uuid, author jsonb, scope text, kind text, tags jsonb,
      content text, fence bigint, "createdAt" timestamptz)`);

type Decision = Omit<WithId<ProjectExport['decisions'][number]>, 'supersedes'> & { featureId: string | null; supersedes: string | null };
export const insertDecisions = (tx: Queryable, { projectId, engineerId }: Into, decisions: Decision[]) =>
  tx.execute(sql`
    insert into decisions (id, project_id, number, feature_id, engineer_id, author, title, decision, rationale, alternatives, supersedes, created_at)
    select id, ${projectId}::uuid, number, "featureId", ${engineerId}::uuid, author, title, decision, rationale, alternatives, supersedes, "createdAt"
    from jsonb_to_recordset(${JSON.stringify(decisions)}::jsonb) as r(id uuid, number int, "featureId" uuid, author jsonb, title text,
      decision text, rationale text, alternatives text, supersedes uuid, "createdAt" timestamptz)`);
