import { sql } from 'drizzle-orm';
import { type Project, type ProjectExport } from '@nexus/contract';
import { type Queryable, rows } from '../engines/database/database.ts';

type Feature = ProjectExport['features'][number];
type Learning = ProjectExport['learnings'][number];
type Decision = ProjectExport['decisions'][number];

const time = (value: string) => new Date(value).toISOString();
const author = (table: string) => sql`coalesce(${sql.raw(table)}.author, jsonb_build_object('name', e.name, 'email', e.email)) as author`;

/** Everything of the project that can be restored, in an order of its own content: a restored project exports the same. */
export async function exportOf(on: Queryable, projectId: string): Promise<Pick<ProjectExport, 'features' | 'learnings' | 'decisions'>> {
  const [features, learnings, decisions] = await Promise.all([
    rows<Feature>(
      on,
      sql`select f.slug, f.title, f.spec, case f.status when 'active' then 'ready' else f.status end as status,
            (f.interrupted or f.status = 'active') as interrupted, f.lane, f.priority, f.touches, f.depends_on as "dependsOn", ${author('f')},
            f.created_at as "createdAt", f.updated_at as "updatedAt", f.completed_at as "completedAt"
          from features f join engineers e on e.id = f.created_by where f.project_id = ${projectId} order by f.slug collate "C"`,
    ),
    rows<Learning>(
      on,
      sql`select f.slug as feature, l.scope, l.kind, l.tags, l.content, l.fence, ${author('l')}, l.created_at as "createdAt"
          from learnings l join engineers e on e.id = l.engineer_id left join features f on f.id = l.feature_id
          where l.project_id = ${projectId} order by l.created_at, l.id`,
    ),
    rows<Decision>(
      on,
      sql`select d.number, f.slug as feature, d.title, d.decision, d.rationale, d.alternatives, before.number as supersedes, ${author('d')},
            d.created_at as "createdAt"
          from decisions d join engineers e on e.id = d.engineer_id left join features f on f.id = d.feature_id
          left join decisions before on before.id = d.supersedes
          where d.project_id = ${projectId} order by d.number`,
    ),
  ]);
  return {
    features: features.map((row) => ({
      ...row,
      createdAt: time(row.createdAt),
      updatedAt: time(row.updatedAt),
      completedAt: row.completedAt && time(row.completedAt),
    })),
    learnings: learnings.map((row) => ({ ...row, fence: row.fence === null ? null : Number(row.fence), createdAt: time(row.createdAt) })),
    decisions: decisions.map((row) => ({ ...row, createdAt: time(row.createdAt) })),
  };
}

export const settingsOf = ({ name, repoUrl, repoPath, defaultBranch, policy }: Project): ProjectExport['project'] => ({
  name,
  repoUrl,
  repoPath,
  defaultBranch,
  policy,
});
