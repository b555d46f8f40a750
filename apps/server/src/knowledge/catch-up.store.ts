import { sql } from 'drizzle-orm';
import { type Queryable, rows } from '../engines/database/database.ts';
import type { Entry } from '../search/index.ts';

/** Texts that no search finds: written before there was one. */
const missing = sql`
  select * from (
    select f.project_id as "projectId", 'spec' as kind, f.id, f.id as "featureId", f.created_by as "engineerId", null::jsonb as author, f.title,
      f.spec as body, '[]'::jsonb as tags, false as replaced, f.updated_at as at
    from features f
    union all
    select l.project_id, 'learning', l.id, l.feature_id, l.engineer_id, l.author, '', l.content, l.tags, false, l.created_at from learnings l
    union all
    select d.project_id, 'decision', d.id, d.feature_id, d.engineer_id, d.author, d.title, concat_ws(E'\n\n', d.decision, d.rationale, d.alternatives),
      '[]'::jsonb, exists (select 1 from decisions next where next.supersedes = d.id), d.created_at
    from decisions d
    union all
    select c.project_id, 'checkpoint', c.id, c.feature_id, c.engineer_id, null, '', c.notes, '[]', false, c.created_at from checkpoints c
    where c.notes <> ''
  ) source
  where not exists (select 1 from search_entries e where e.kind = source.kind and e.id = source.id)`;

export async function projectsBehind(on: Queryable): Promise<string[]> {
  return (await rows<{ projectId: string }>(on, sql`select distinct "projectId" from (${missing}) m`)).map(({ projectId }) => projectId);
}

export const missingEntries = (on: Queryable, projectId: string, limit: number): Promise<Entry[]> =>
  rows(on, sql`${missing} and source."projectId" = ${projectId} limit ${limit}`);
