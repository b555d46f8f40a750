import { sql } from 'drizzle-orm';
import type { FeatureStatus, Lane, Wait } from '@nexus/contract';
import { type Queryable, rows } from '../engines/database/database.ts';

export type WaitEnd = Exclude<Wait['state'], 'waiting'>;

export type WaitRow = {
  id: string;
  projectId: string;
  sessionId: string;
  lineage: string[];
  ttlMs: number;
  engineerId: string;
  engineerName: string;
  engineerEmail: string;
  agent: string;
  feature: { id: string; slug: string; title: string; status: FeatureStatus; lane: Lane; priority: number } | null;
  /** Whoever has the feature now. */
  heldBy: { sessionId: string; agent: string; engineerName: string } | null;
  /** As a hold of it would claim them, the feature's brief paths included. */
  touches: string[];
  reason: string | null;
  seq: number;
  passed: number;
  since: string;
  until: string;
  endedAs: WaitEnd | null;
  fence: number | null;
  note: string | null;
};

type Raw = Omit<WaitRow, 'seq' | 'fence'> & { seq: string | number; fence: string | number | null };

const select = sql`
  select w.id, w.project_id as "projectId", w.session_id as "sessionId", s.lineage, s.ttl_ms as "ttlMs", w.engineer_id as "engineerId",
    e.name as "engineerName", e.email as "engineerEmail", s.agent,
    case when f.id is null then null else jsonb_build_object('id', f.id, 'slug', f.slug, 'title', f.title, 'status', f.status, 'lane', f.lane,
      'priority', f.priority) end as feature,
    case when h.id is null or w.ended_at is not null then null else jsonb_build_object('sessionId', h.session_id, 'agent', hs.agent,
      'engineerName', he.name) end as "heldBy",
    case when w.ended_at is null then coalesce(f.touches, w.paths) else w.paths end as touches, w.reason, w.seq, w.passed,
    w.created_at as since, w.until, w.ended_as as "endedAs", w.fence, w.note
  from waits w join sessions s on s.id = w.session_id join engineers e on e.id = w.engineer_id left join features f on f.id = w.feature_id
  left join holds h on h.id = f.hold_id left join sessions hs on hs.id = h.session_id left join engineers he on he.id = h.engineer_id`;

const time = (value: string) => new Date(value).toISOString();
const clean = (raw: Raw): WaitRow => ({
  ...raw,
  seq: Number(raw.seq),
  fence: raw.fence === null ? null : Number(raw.fence),
  since: time(raw.since),
  until: time(raw.until),
});

/** Open places of a project, by arrival. */
export async function openWaits(on: Queryable, projectId: string): Promise<WaitRow[]> {
  return (await rows<Raw>(on, sql`${select} where w.project_id = ${projectId} and w.ended_at is null order by w.seq`)).map(clean);
}

/** Open places of these sessions. */
export async function openWaitsOf(on: Queryable, projectId: string, sessionIds: string[]): Promise<WaitRow[]> {
  const found = await rows<Raw>(
    on,
    sql`${select} where w.project_id = ${projectId} and w.ended_at is null and w.session_id = any(${sql.param(sessionIds)}::uuid[])`,
  );
  return found.map(clean);
}

export async function waitById(on: Queryable, projectId: string, id: string): Promise<WaitRow | undefined> {
  const [row] = await rows<Raw>(on, sql`${select} where w.project_id = ${projectId} and w.id = ${id}`);
  return row && clean(row);
}

export const insertWait = (
  tx: Queryable,
  w: {
    id: string;
    projectId: string;
    sessionId: string;
    engineerId: string;
    featureId: string | null;
    paths: string[];
    reason: string | null;
    seq: number;
    seconds: number;
  },
) =>
  tx.execute(sql`
    insert into waits (id, project_id, session_id, engineer_id, feature_id, paths, reason, seq, until)
    values (${w.id}, ${w.projectId}, ${w.sessionId}, ${w.engineerId}, ${w.featureId}, ${JSON.stringify(w.paths)}::jsonb, ${w.reason}, ${w.seq},
      now() + make_interval(secs => ${w.seconds}))`);

/** Ends one open place; what it waited for is kept as it was last. */
export const closeWait = (
  tx: Queryable,
  { id, paths, as, fence, note }: { id: string; paths: string[]; as: WaitEnd; fence: number | null; note: string | null },
) =>
  tx.execute(sql`
    update waits set ended_at = now(), ended_as = ${as}, fence = ${fence}, note = ${note}, paths = ${JSON.stringify(paths)}::jsonb
    where id = ${id} and ended_at is null`);

export const passOver = (tx: Queryable, ids: string[]) =>
  tx.execute(sql`update waits set passed = passed + 1 where id = any(${sql.param(ids)}::uuid[]) and ended_at is null`);

/** Open places whose time is over. */
export async function overdueWaits(on: Queryable, projectId: string): Promise<WaitRow[]> {
  return (
    await rows<Raw>(on, sql`${select} where w.project_id = ${projectId} and w.ended_at is null and w.until <= now() order by w.seq`)
  ).map(clean);
}

/** Projects in which somebody waits. */
export async function projectsWaiting(on: Queryable): Promise<string[]> {
  return (await rows<{ id: string }>(on, sql`select distinct project_id as id from waits where ended_at is null`)).map(({ id }) => id);
}
