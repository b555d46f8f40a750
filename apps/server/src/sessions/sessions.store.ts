import { sql } from 'drizzle-orm';
import { type Queryable, rows } from '../engines/database/database.ts';
import { isUuid } from '../platform/ids.ts';

export type SessionRow = {
  id: string;
  projectId: string;
  engineerId: string;
  engineerName: string;
  engineerEmail: string;
  parentId: string | null;
  lineage: string[];
  agent: string;
  agentSessionId: string | null;
  keeper: boolean;
  ttlMs: number;
  status: 'active' | 'lost' | 'ended';
  metadata: Record<string, unknown>;
  featureId: string | null;
  createdAt: string;
  endedAt: string | null;
};

const select = sql`
  select s.id, s.project_id as "projectId", s.engineer_id as "engineerId", e.name as "engineerName", e.email as "engineerEmail",
    s.parent_id as "parentId", s.lineage, s.agent, s.agent_session_id as "agentSessionId", s.keeper, s.ttl_ms as "ttlMs", s.status, s.metadata,
    coalesce((select h.feature_id from holds h where h.session_id = s.id and h.ended_ver is null and h.feature_id is not null order by h.fence desc limit 1), s.feature_id) as "featureId",
    s.created_at as "createdAt", s.ended_at as "endedAt"
  from sessions s join engineers e on e.id = s.engineer_id`;

const time = (value: string) => new Date(value).toISOString();
const clean = (row: SessionRow): SessionRow => ({ ...row, createdAt: time(row.createdAt), endedAt: row.endedAt && time(row.endedAt) });

export async function sessionById(on: Queryable, id: string): Promise<SessionRow | undefined> {
  const [row] = await rows<SessionRow>(on, sql`${select} where s.id = ${id}`);
  return row && clean(row);
}

/** The live session of an agent's own id; failing that, the last one. */
export async function sessionOfAgent(
  on: Queryable,
  projectId: string,
  engineerId: string,
  agent: string,
  agentSessionId: string,
): Promise<SessionRow | undefined> {
  const [row] = await rows<SessionRow>(
    on,
    sql`${select} where s.project_id = ${projectId} and s.engineer_id = ${engineerId} and s.agent = ${agent} and s.agent_session_id = ${agentSessionId}
        order by (s.status = 'active') desc, s.id desc limit 1`,
  );
  return row && clean(row);
}

export async function liveSessions(on: Queryable, projectId: string, engineerId?: string): Promise<SessionRow[]> {
  const of = engineerId === undefined ? sql`` : sql`and s.engineer_id = ${engineerId}`;
  return (await rows<SessionRow>(on, sql`${select} where s.project_id = ${projectId} and s.status = 'active' ${of} order by s.id`)).map(
    clean,
  );
}

/** A session and everything below it that is alive. */
export async function liveFamily(on: Queryable, projectId: string, id: string): Promise<SessionRow[]> {
  return (
    await rows<SessionRow>(on, sql`${select} where s.project_id = ${projectId} and s.status = 'active' and ${id}::uuid = any(s.lineage)`)
  ).map(clean);
}

export async function isLive(on: Queryable, id: string): Promise<boolean> {
  return (await rows(on, sql`select 1 from sessions where id = ${id} and status = 'active'`)).length > 0;
}

export const insertSession = (
  tx: Queryable,
  session: Omit<SessionRow, 'engineerName' | 'engineerEmail' | 'status' | 'createdAt' | 'endedAt'> & { ver: number },
) =>
  tx.execute(sql`
    insert into sessions (id, project_id, engineer_id, parent_id, lineage, agent, agent_session_id, keeper, ttl_ms, metadata, feature_id, opened_ver)
    values (${session.id}, ${session.projectId}, ${session.engineerId}, ${session.parentId}, ${sql.param(session.lineage)}::uuid[], ${session.agent},
      ${session.agentSessionId}, ${session.keeper}, ${session.ttlMs}, ${JSON.stringify(session.metadata)}::jsonb, ${session.featureId}, ${session.ver})`);

export const closeSessions = (tx: Queryable, ids: string[], ver: number, status: 'lost' | 'ended') =>
  tx.execute(
    sql`update sessions set status = ${status}, ended_at = now(), ended_ver = ${ver} where id = any(${sql.param(ids)}::uuid[]) and status = 'active'`,
  );

export const renewTerms = (tx: Queryable, id: string, terms: { keeper: boolean; ttlMs: number; metadata: Record<string, unknown> }) =>
  tx.execute(
    sql`update sessions set keeper = ${terms.keeper}, ttl_ms = ${terms.ttlMs}, metadata = metadata || ${JSON.stringify(terms.metadata)}::jsonb where id = ${id}`,
  );

/** What an agent's earlier sessions, under the same id, left parked or interrupted, or gave back only by ending, and nobody took since. */
export async function leftBehind(
  on: Queryable,
  of: Pick<SessionRow, 'id' | 'projectId' | 'engineerId' | 'agent' | 'agentSessionId'>,
): Promise<string[]> {
  const found = await rows<{ slug: string }>(
    on,
    sql`select f.slug from features f
        join lateral (select h.session_id, h.ended_ver, h.parked_at from holds h where h.feature_id = f.id order by h.fence desc limit 1) last on true
        join sessions s on s.id = last.session_id
        where f.project_id = ${of.projectId} and s.engineer_id = ${of.engineerId} and s.agent = ${of.agent} and s.agent_session_id = ${of.agentSessionId} and s.id <> ${of.id}
          and ((f.status = 'ready' and (f.interrupted or last.ended_ver = s.ended_ver)) or (f.status = 'active' and last.ended_ver is null and last.parked_at is not null))
        order by f.priority`,
  );
  return found.map(({ slug }) => slug);
}

/** Adds what guards saw. */
export const addActivity = (on: Queryable, activity: Array<{ session: string; edits: number; denials: number }>) =>
  on.execute(sql`
    update sessions s set edits = s.edits + a.edits, denials = s.denials + a.denials
    from jsonb_to_recordset(${JSON.stringify(activity)}::jsonb) as a(session uuid, edits int, denials int) where s.id = a.session`);

/** Keeps what keepers saw uncommitted; what did not change is not written. */
export const keepDirty = (on: Queryable, reports: Array<{ session: string; paths: string[]; more: boolean }>) =>
  on.execute(sql`
    update sessions s set dirty = r.dirty
    from jsonb_to_recordset(${JSON.stringify(reports.map(({ session, paths, more }) => ({ session, dirty: { paths, more } })))}::jsonb) as r(session uuid, dirty jsonb)
    where s.id = r.session and s.dirty is distinct from r.dirty`);

export type DirtyWorktree = { worktree: string; machine: string; engineerName: string; paths: string[]; more: boolean };

/** What is uncommitted in the worktrees of live sessions, each once, as it was seen last. */
export const dirtyWorktrees = (on: Queryable, projectId: string): Promise<DirtyWorktree[]> =>
  rows(
    on,
    sql`select distinct on (s.metadata->>'machine', s.metadata->>'worktree') s.metadata->>'worktree' as worktree, s.metadata->>'machine' as machine,
          e.name as "engineerName", s.dirty->'paths' as paths, (s.dirty->>'more')::boolean as more
        from sessions s join engineers e on e.id = s.engineer_id
        where s.project_id = ${projectId} and s.status = 'active' and s.dirty is not null
          and jsonb_typeof(s.metadata->'worktree') = 'string' and jsonb_typeof(s.metadata->'machine') = 'string'
        order by s.metadata->>'machine', s.metadata->>'worktree', s.reported_at desc nulls last, s.id desc`,
  );

export async function activityOf(on: Queryable, projectId: string): Promise<{ tried: number; denied: number }> {
  const [row] = await rows<{ tried: number; denied: number }>(
    on,
    sql`select coalesce(sum(edits), 0)::int as tried, coalesce(sum(denials), 0)::int as denied from sessions where project_id = ${projectId} and status = 'active'`,
  );
  return row ?? { tried: 0, denied: 0 };
}

/** Projects that have something to lose: live sessions, or holds. */
export async function projectsAlive(on: Queryable): Promise<string[]> {
  const found = await rows<{ id: string }>(
    on,
    sql`select project_id as id from sessions where status = 'active' union select project_id from holds where ended_ver is null`,
  );
  return found.map(({ id }) => id);
}

/** Whether the id is a feature of this project: sessions come before features, so it is asked here. */
export async function featureExists(on: Queryable, projectId: string, id: string): Promise<boolean> {
  return isUuid(id) && (await rows(on, sql`select 1 from features where id = ${id} and project_id = ${projectId}`)).length > 0;
}
