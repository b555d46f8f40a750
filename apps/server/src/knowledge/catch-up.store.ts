import { sql } from 'drizzle-orm';
import { type Queryable, rows } from '../engines/database/database.ts';
import type { Entry } from '../search/index.ts';

/** What is found, by the table that it is written in. */
const sources = {
  spec: sql`
    select f.project_id as "projectId", f.id, f.id as "featureId", f.created_by as "engineerId", f.author, f.title, f.spec as body,
      '[]'::jsonb as tags, false as replaced, f.updated_at as at
    from features f`,
  learning: sql`
    select l.project_id as "projectId", l.id, l.feature_id as "featureId", l.engineer_id as "engineerId", l.author, '' as title, l.content as body,
      l.tags, false as replaced, l.created_at as at
    from learnings l`,
  decision: sql`
    select d.project_id as "projectId", d.id, d.feature_id as "featureId", d.engineer_id as "engineerId", d.author, d.title,
      concat_ws(E'\n\n', d.decision, d.rationale, d.alternatives) as body, '[]'::jsonb as tags,
      exists (select 1 from decisions next where next.supersedes = d.id) as replaced, d.created_at as at
    from decisions d`,
  checkpoint: sql`
    select c.project_id as "projectId", c.id, c.feature_id as "featureId", c.engineer_id as "engineerId", null::jsonb as author, '' as title,
      c.notes as body, '[]'::jsonb as tags, false as replaced, c.created_at as at
    from checkpoints c where c.notes <> ''`,
  message: sql`
    select m.project_id as "projectId", m.id, f.id as "featureId", m.engineer_id as "engineerId", null::jsonb as author, '' as title,
      coalesce((select string_agg(text #>> '{}', E'\n') from jsonb_path_query(m.payload, 'strict $.**') text where jsonb_typeof(text) = 'string'), '') as body,
      '[]'::jsonb as tags, false as replaced, m.created_at as at,
      case when m.audience <> 'project' then (select jsonb_agg(distinct r.id) from (
        select m.engineer_id as id union select engineer_id from message_recipients where message_id = m.id) r) end as readers
    from messages m left join features f on f.project_id = m.project_id and m.audience = 'feature' and f.slug = m.about`,
};
export type Source = keyof typeof sources;
export const everySource = Object.keys(sources) as Source[];

const unfound = (source: Source) => sql`
  from (${sources[source]}) s where not exists (select 1 from search_entries e where e.kind = ${source} and e.id = s.id)`;

/** Projects with texts of this kind that no search finds: written before there was one. */
export async function projectsBehind(on: Queryable, source: Source): Promise<string[]> {
  return (await rows<{ projectId: string }>(on, sql`select distinct s."projectId" ${unfound(source)}`)).map(({ projectId }) => projectId);
}

/** By id, after `after`. */
export const missingEntries = (on: Queryable, projectId: string, source: Source, after: string, limit: number): Promise<Entry[]> =>
  rows(
    on,
    sql`select ${source} as kind, s.* ${unfound(source)} and s."projectId" = ${projectId} and s.id > ${after} order by s.id limit ${limit}`,
  );
