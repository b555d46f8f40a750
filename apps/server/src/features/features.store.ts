import { sql } from 'drizzle-orm';
import type { Feature, FeatureStatus, Lane } from '@nexus/contract';
import { type Queryable, rows } from '../engines/database/database.ts';

/** A feature as the ledger has it; `hold` is the open hold that stands for it. */
export type FeatureRow = Omit<Feature, 'heldBy' | 'fence' | 'warnings'> & {
  hold: {
    id: string;
    fence: number;
    sessionId: string;
    lineage: string[];
    agent: string;
    engineerId: string;
    engineerName: string;
    parked: boolean;
    grantedAt: string;
  } | null;
};

type Raw = Omit<FeatureRow, 'hold'> & { hold: (NonNullable<FeatureRow['hold']> & { fence: number }) | null };

const select = sql`
  select f.id, f.project_id as "projectId", f.slug, f.title, f.spec, f.status, f.lane, f.priority, f.touches, f.depends_on as "dependsOn",
    f.created_by as "createdBy", f.claimed_by as "claimedBy", f.claimed_at as "claimedAt", f.completed_at as "completedAt",
    f.created_at as "createdAt", f.updated_at as "updatedAt", f.version, f.interrupted,
    case when h.id is null then null else jsonb_build_object('id', h.id, 'fence', h.fence, 'sessionId', h.session_id, 'lineage', to_jsonb(s.lineage),
      'agent', s.agent, 'engineerId', h.engineer_id, 'engineerName', e.name, 'parked', h.parked_at is not null, 'grantedAt', h.granted_at) end as hold
  from features f
  left join holds h on h.id = f.hold_id left join sessions s on s.id = h.session_id left join engineers e on e.id = h.engineer_id`;

/** In the order in which work is offered. */
const laneOrder = sql`case f.lane when 'now' then 0 when 'next' then 1 when 'later' then 2 else 3 end`;

const time = (value: string) => new Date(value).toISOString();
const clean = (raw: Raw): FeatureRow => ({
  ...raw,
  claimedAt: raw.claimedAt && time(raw.claimedAt),
  completedAt: raw.completedAt && time(raw.completedAt),
  createdAt: time(raw.createdAt),
  updatedAt: time(raw.updatedAt),
  hold: raw.hold && { ...raw.hold, grantedAt: time(raw.hold.grantedAt) },
});

export function view({ hold, ...row }: FeatureRow, warnings: string[] = []): Feature {
  return {
    ...row,
    heldBy: hold && { sessionId: hold.sessionId, agent: hold.agent, engineerName: hold.engineerName, parked: hold.parked },
    fence: hold && hold.fence,
    ...(warnings.length > 0 ? { warnings } : {}),
  };
}

export async function featureBySlug(on: Queryable, projectId: string, slug: string): Promise<FeatureRow | undefined> {
  const [row] = await rows<Raw>(on, sql`${select} where f.project_id = ${projectId} and f.slug = ${slug}`);
  return row && clean(row);
}

export async function featureById(on: Queryable, projectId: string, id: string): Promise<FeatureRow | undefined> {
  const [row] = await rows<Raw>(on, sql`${select} where f.project_id = ${projectId} and f.id = ${id}`);
  return row && clean(row);
}

/** Those of a status, as they are offered: what was begun comes first. */
export async function featuresOf(
  on: Queryable,
  projectId: string,
  status: FeatureStatus,
  of: { lane?: Lane | undefined; interrupted?: true } = {},
): Promise<FeatureRow[]> {
  const found = await rows<Raw>(
    on,
    sql`${select} where f.project_id = ${projectId} and f.status = ${status}
        ${of.lane ? sql`and f.lane = ${of.lane}` : sql``} ${of.interrupted ? sql`and f.interrupted` : sql``}
        order by f.interrupted desc, ${laneOrder}, f.priority, f.id`,
  );
  return found.map(clean);
}

/** What is neither done nor cancelled, as it stands on the roadmap. */
export async function openFeatures(on: Queryable, projectId: string): Promise<FeatureRow[]> {
  const found = await rows<Raw>(
    on,
    sql`${select} where f.project_id = ${projectId} and f.status in ('draft', 'ready', 'active') order by ${laneOrder}, f.priority, f.id`,
  );
  return found.map(clean);
}

/** Moves features to their places: a row for each that is named. */
export const setPlaces = (tx: Queryable, places: Array<{ id: string; lane: Lane; priority: number }>) =>
  tx.execute(sql`
    update features f set lane = p.lane, priority = p.priority, version = f.version + 1, updated_at = now()
    from jsonb_to_recordset(${JSON.stringify(places)}::jsonb) as p(id uuid, lane text, priority double precision) where f.id = p.id`);

export type Position = { lane: number; priority: number; id: string };

/** A page after `from` in (lane, priority, id) order: the cursor is the order's own key, so no page skips or repeats a row. */
export async function featuresPage(
  on: Queryable,
  projectId: string,
  {
    status,
    lane,
    from,
    limit,
  }: { status?: FeatureStatus | undefined; lane?: Lane | undefined; from?: Position | undefined; limit: number },
): Promise<Array<{ row: FeatureRow; position: Position }>> {
  const found = await rows<Raw & { laneOrder: number }>(
    on,
    sql`select page.*, ${sql.raw("case page.lane when 'now' then 0 when 'next' then 1 when 'later' then 2 else 3 end")} as "laneOrder" from (${select}
        where f.project_id = ${projectId}
        ${status ? sql`and f.status = ${status}` : sql``} ${lane ? sql`and f.lane = ${lane}` : sql``}
        ${from ? sql`and (${laneOrder}, f.priority, f.id) > (${from.lane}::int, ${from.priority}::double precision, ${from.id}::uuid)` : sql``}
        order by ${laneOrder}, f.priority, f.id limit ${limit}) page order by "laneOrder", page.priority, page.id`,
  );
  return found.map(({ laneOrder: lane, ...row }) => ({
    row: clean(row),
    position: { lane: Number(lane), priority: row.priority, id: row.id },
  }));
}

/** Of these slugs, those that are not done (or do not exist). */
export async function notDone(on: Queryable, projectId: string, slugs: string[]): Promise<string[]> {
  if (slugs.length === 0) return [];
  const done = await rows<{ slug: string }>(
    on,
    sql`select slug from features where project_id = ${projectId} and status = 'done' and slug = any(${sql.param(slugs)}::text[])`,
  );
  const finished = new Set(done.map(({ slug }) => slug));
  return slugs.filter((slug) => !finished.has(slug));
}

/** Every feature that depends on something: slug → what it depends on. */
export async function dependencies(on: Queryable, projectId: string): Promise<Map<string, string[]>> {
  const found = await rows<{ slug: string; dependsOn: string[] }>(
    on,
    sql`select slug, depends_on as "dependsOn" from features where project_id = ${projectId} and depends_on <> '[]'::jsonb`,
  );
  return new Map(found.map(({ slug, dependsOn }) => [slug, dependsOn]));
}

export async function existing(on: Queryable, projectId: string, slugs: string[]): Promise<Set<string>> {
  const found = await rows<{ slug: string }>(
    on,
    sql`select slug from features where project_id = ${projectId} and slug = any(${sql.param(slugs)}::text[])`,
  );
  return new Set(found.map(({ slug }) => slug));
}

export async function lastPriority(on: Queryable, projectId: string, lane: Lane): Promise<number> {
  const [row] = await rows<{ last: number | null }>(
    on,
    sql`select max(priority) as last from features where project_id = ${projectId} and lane = ${lane}`,
  );
  return row?.last ?? 0;
}

export const insertFeature = (
  tx: Queryable,
  f: {
    id: string;
    projectId: string;
    slug: string;
    title: string;
    spec: string;
    lane: Lane;
    priority: number;
    touches: string[];
    dependsOn: string[];
    createdBy: string;
  },
) =>
  tx.execute(sql`
    insert into features (id, project_id, slug, title, spec, lane, priority, touches, depends_on, created_by)
    values (${f.id}, ${f.projectId}, ${f.slug}, ${f.title}, ${f.spec}, ${f.lane}, ${f.priority}, ${JSON.stringify(f.touches)}::jsonb, ${JSON.stringify(f.dependsOn)}::jsonb, ${f.createdBy})`);

export const updateFields = (
  tx: Queryable,
  id: string,
  f: { title: string; spec: string; lane: Lane; priority: number; touches: string[]; dependsOn: string[] },
) =>
  tx.execute(sql`
    update features set title = ${f.title}, spec = ${f.spec}, lane = ${f.lane}, priority = ${f.priority}, touches = ${JSON.stringify(f.touches)}::jsonb,
      depends_on = ${JSON.stringify(f.dependsOn)}::jsonb, version = version + 1, updated_at = now()
    where id = ${id}`);

/** Moves a feature on, if it is still in the state it is moved from. Answers the ids that moved: the lock makes it all of them. */
export const moveOn = (
  tx: Queryable,
  ids: string[],
  from: FeatureStatus[],
  to: { status: FeatureStatus; holdId: string | null; claimedBy: string | null; interrupted: boolean },
): Promise<Array<{ id: string; updatedAt: string }>> =>
  rows(
    tx,
    sql`update features set status = ${to.status}, hold_id = ${to.holdId}, claimed_by = ${to.claimedBy}, interrupted = ${to.interrupted},
          claimed_at = case when ${to.status} = 'active' then now() when ${to.status} = 'done' then claimed_at else null end,
          completed_at = case when ${to.status} = 'done' then now() else null end,
          version = version + 1, updated_at = now()
        where id = any(${sql.param(ids)}::uuid[]) and status = any(${sql.param(from)}::text[])
        returning id, updated_at as "updatedAt"`,
  );

export const deleteDraft = (tx: Queryable, id: string) =>
  rows<{ id: string }>(tx, sql`delete from features where id = ${id} and status = 'draft' returning id`);
