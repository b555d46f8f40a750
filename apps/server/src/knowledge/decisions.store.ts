import { sql } from 'drizzle-orm';
import type { Decision } from '@nexus/contract';
import { type Queryable, rows } from '../engines/database/database.ts';
import { isUuid } from '../platform/ids.ts';

const select = sql`
  select d.id, d.project_id as "projectId", d.number, d.feature_id as "featureId", f.slug as "featureSlug", d.engineer_id as "engineerId",
    coalesce(d.author->>'name', e.name) as "engineerName", d.title, d.decision, d.rationale, d.alternatives, d.supersedes,
    (select next.id from decisions next where next.supersedes = d.id) as "supersededBy", d.created_at as "createdAt"
  from decisions d join engineers e on e.id = d.engineer_id left join features f on f.id = d.feature_id`;

const clean = (row: Decision): Decision => ({ ...row, createdAt: new Date(row.createdAt).toISOString() });

export type NewDecision = Omit<Decision, 'featureSlug' | 'engineerName' | 'number' | 'supersededBy' | 'createdAt'> & {
  sessionId: string | null;
};

/** Numbered after the last one: the project's lock makes that safe. */
export async function insertDecision(tx: Queryable, d: NewDecision): Promise<void> {
  await tx.execute(sql`
    insert into decisions (id, project_id, number, feature_id, engineer_id, session_id, title, decision, rationale, alternatives, supersedes)
    values (${d.id}, ${d.projectId}, (select coalesce(max(number), 0) + 1 from decisions where project_id = ${d.projectId}),
      ${d.featureId}, ${d.engineerId}, ${d.sessionId}, ${d.title}, ${d.decision}, ${d.rationale}, ${d.alternatives}, ${d.supersedes})`);
}

/** By id or number; undefined for what this project has not. */
export async function decisionOf(on: Queryable, projectId: string, name: string): Promise<Decision | undefined> {
  const number = /^[1-9]\d{0,8}$/.test(name) ? Number(name) : undefined;
  if (number === undefined && !isUuid(name)) return undefined;
  const which = number === undefined ? sql`d.id = ${name}` : sql`d.number = ${number}`;
  const [row] = await rows<Decision>(on, sql`${select} where d.project_id = ${projectId} and ${which}`);
  return row && clean(row);
}

/** All that replaced each other up to this decision and from it on, oldest first. Each was there before the one that replaced it. */
export async function chainOf(on: Queryable, projectId: string, id: string): Promise<Decision[]> {
  const found = await rows<Decision>(
    on,
    sql`with recursive before as (
          select id, supersedes from decisions where project_id = ${projectId} and id = ${id}
          union all select d.id, d.supersedes from decisions d join before b on d.id = b.supersedes
        ), after as (
          select id from decisions where project_id = ${projectId} and id = ${id}
          union all select d.id from decisions d join after a on d.supersedes = a.id
        )
        ${select} where d.id in (select id from before union select id from after) order by d.number`,
  );
  return found.map(clean);
}

/** Newest first, below number `from`. */
export async function decisionsPage(
  on: Queryable,
  projectId: string,
  { featureId, current, from, limit }: { featureId?: string | undefined; current?: boolean; from?: number | undefined; limit: number },
): Promise<Decision[]> {
  const found = await rows<Decision>(
    on,
    sql`${select} where d.project_id = ${projectId} ${featureId ? sql`and d.feature_id = ${featureId}` : sql``}
        ${current ? sql`and not exists (select 1 from decisions next where next.supersedes = d.id)` : sql``}
        ${from === undefined ? sql`` : sql`and d.number < ${from}`}
        order by d.number desc limit ${limit}`,
  );
  return found.map(clean);
}
