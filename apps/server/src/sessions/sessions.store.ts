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

export async function liveSessions(on: Queryable, projectId: string): Promise<SessionRow[]> {
  return (await rows<SessionRow>(on, sql`${select} where s.project_id = ${projectId} and s.status = 'active' order by s.id`)).map(clean);
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
