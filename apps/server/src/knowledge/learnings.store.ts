import { sql } from 'drizzle-orm';
import type { Learning, LearningKind } from '@nexus/contract';
import { type Queryable, rows } from '../engines/database/database.ts';

const select = sql`
  select l.id, l.project_id as "projectId", l.feature_id as "featureId", f.slug as "featureSlug", l.engineer_id as "engineerId",
    coalesce(l.author->>'name', e.name) as "engineerName", l.scope, l.kind, l.tags, l.content, l.fence, l.created_at as "createdAt"
  from learnings l join engineers e on e.id = l.engineer_id left join features f on f.id = l.feature_id`;

const clean = (row: Learning): Learning => ({
  ...row,
  fence: row.fence === null ? null : Number(row.fence),
  createdAt: new Date(row.createdAt).toISOString(),
});

export type NewLearning = Pick<Learning, 'projectId' | 'featureId' | 'engineerId' | 'scope' | 'kind' | 'tags' | 'content' | 'fence'> & {
  id: string;
  sessionId: string | null;
};

export async function insertLearning(tx: Queryable, l: NewLearning): Promise<void> {
  await tx.execute(sql`
    insert into learnings (id, project_id, feature_id, engineer_id, session_id, scope, kind, tags, content, fence)
    values (${l.id}, ${l.projectId}, ${l.featureId}, ${l.engineerId}, ${l.sessionId}, ${l.scope}, ${l.kind}, ${JSON.stringify(l.tags)}::jsonb, ${l.content}, ${l.fence})`);
}

export async function learningById(on: Queryable, id: string): Promise<Learning | undefined> {
  const [row] = await rows<Learning>(on, sql`${select} where l.id = ${id}`);
  return row && clean(row);
}

type Of = {
  featureId?: string | undefined;
  scope?: Learning['scope'] | undefined;
  kind?: LearningKind | undefined;
  tag?: string | undefined;
};

/** Newest first, after the one at `from`. */
export async function learningsPage(
  on: Queryable,
  projectId: string,
  { featureId, scope, kind, tag, from, limit }: Of & { from?: { at: string; id: string } | undefined; limit: number },
): Promise<Learning[]> {
  const found = await rows<Learning>(
    on,
    sql`${select} where l.project_id = ${projectId}
        ${featureId ? sql`and l.feature_id = ${featureId}` : sql``} ${scope ? sql`and l.scope = ${scope}` : sql``}
        ${kind ? sql`and l.kind = ${kind}` : sql``} ${tag ? sql`and l.tags ? ${tag}` : sql``}
        ${from ? sql`and (l.created_at, l.id) < (${from.at}::timestamptz, ${from.id}::uuid)` : sql``}
        order by l.created_at desc, l.id desc limit ${limit}`,
  );
  return found.map(clean);
}
