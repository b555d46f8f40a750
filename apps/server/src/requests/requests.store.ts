import { sql, type SQL } from 'drizzle-orm';
import type { Request } from '@nexus/contract';
import { type Queryable, rows } from '../engines/database/database.ts';

export type Answer = Exclude<Request['state'], 'open'>;
export type RequestRow = Request & { holdId: string; node: string };

/** How long an answer is told to whoever asked: their next beat may be an outage away. */
const TOLD_SECONDS = 600;

const select = sql`
  select r.id, r.project_id as "projectId", r.path, r.held_path as "heldPath", r.reason, r.hold_id as "holdId", r.node,
    case when r.session_id is null then null else jsonb_build_object('sessionId', r.session_id, 'engineerId', r.engineer_id,
      'engineerName', ae.name, 'agent', a.agent) end as "askedBy",
    jsonb_build_object('sessionId', h.session_id, 'engineerName', he.name, 'agent', hs.agent, 'featureSlug', f.slug, 'fence', h.fence) as holder,
    r.created_at as "askedAt", r.yields_at as "yieldsAt", r.gives_back as "givesBack", coalesce(r.answer, 'open') as state, r.note,
    r.answered_at as "answeredAt"
  from requests r left join sessions a on a.id = r.session_id left join engineers ae on ae.id = r.engineer_id
  join holds h on h.id = r.hold_id join sessions hs on hs.id = h.session_id join engineers he on he.id = h.engineer_id
  left join features f on f.id = h.feature_id`;

const time = (value: string | null) => value && new Date(value).toISOString();
const clean = (row: RequestRow): RequestRow => ({
  ...row,
  askedAt: new Date(row.askedAt).toISOString(),
  yieldsAt: time(row.yieldsAt),
  answeredAt: time(row.answeredAt),
});
const read = async (on: Queryable, where: SQL): Promise<RequestRow[]> =>
  (await rows<RequestRow>(on, sql`${select} where ${where} order by r.created_at, r.id`)).map(clean);

export const isTold = sql.raw(`(r.answered_at is null or r.answered_at > now() - interval '${TOLD_SECONDS} seconds')`);

export const view = ({ holdId: _hold, node: _node, ...request }: RequestRow): Request => request;

/** Open ones, and those answered a while ago. */
export const recent = (on: Queryable, projectId: string) => read(on, sql`r.project_id = ${projectId} and ${isTold}`);

/** Those that concern these sessions, asked or asking. */
export const concerning = (on: Queryable, sessionIds: string[]) =>
  read(
    on,
    sql`(r.session_id = any(${sql.param(sessionIds)}::uuid[]) or h.session_id = any(${sql.param(sessionIds)}::uuid[])) and ${isTold}`,
  );

export const openIn = (on: Queryable, projectId: string) => read(on, sql`r.project_id = ${projectId} and r.answered_at is null`);

/** Open ones whose claim is no more: it ended, or was given back. */
export const withoutClaim = (on: Queryable, projectId: string) =>
  read(
    on,
    sql`r.project_id = ${projectId} and r.answered_at is null and not exists (
      select 1 from claims c where c.hold_id = r.hold_id and c.ended_ver is null and c.node = r.node)`,
  );

export const insertRequest = (
  tx: Queryable,
  r: {
    id: string;
    projectId: string;
    sessionId: string | null;
    engineerId: string | null;
    holdId: string;
    node: string;
    heldPath: string;
    path: string;
    reason: string | null;
    givesBack: string | null;
  },
) =>
  tx.execute(sql`
    insert into requests (id, project_id, session_id, engineer_id, hold_id, node, held_path, path, reason, gives_back)
    values (${r.id}, ${r.projectId}, ${r.sessionId}, ${r.engineerId}, ${r.holdId}, ${r.node}, ${r.heldPath}, ${r.path}, ${r.reason}, ${r.givesBack})`);

export const setGivesBack = (tx: Queryable, ids: string[], sessionId: string) =>
  tx.execute(sql`update requests set gives_back = ${sessionId} where id = any(${sql.param(ids)}::uuid[])`);

/** Answers those of these that are open still. */
export const answerRequests = (tx: Queryable, ids: string[], answer: Answer, note: string | null) =>
  tx.execute(sql`
    update requests set answer = ${answer}, note = ${note}, answered_at = now() where id = any(${sql.param(ids)}::uuid[]) and answered_at is null`);

/**
 * Begins and stops the clocks of what yields by itself: a claim of a live hold that has been clean for `cleanSeconds`, by a
 * session that is still looked at, and that did not refuse it within that time.
 */
export async function timeYields(
  on: Queryable,
  projectId: string,
  { cleanSeconds, refuseSeconds, reportSeconds }: YieldTerms,
): Promise<void> {
  await on.execute(sql`
    with asked as (
      select r.id, r.yields_at, (
        h.parked_at is null and c.kind <> 'resource' and s.reported_at > now() - make_interval(secs => ${reportSeconds})
        and greatest(c.granted_at, c.touched_at) < now() - make_interval(secs => ${cleanSeconds})
        and not exists (select 1 from requests o where o.hold_id = r.hold_id and o.node = r.node and o.answer = 'refused'
          and o.answered_at > now() - make_interval(secs => ${cleanSeconds}))
      ) as clean
      from requests r join claims c on c.hold_id = r.hold_id and c.node = r.node and c.ended_ver is null
      join holds h on h.id = r.hold_id join sessions s on s.id = h.session_id
      where r.project_id = ${projectId} and r.answered_at is null and r.session_id is not null
    )
    update requests r set yields_at = case when asked.clean then now() + make_interval(secs => ${refuseSeconds}) end
    from asked where asked.id = r.id and asked.clean is distinct from (r.yields_at is not null)`);
}

export type YieldTerms = { cleanSeconds: number; refuseSeconds: number; reportSeconds: number };

/** Open ones whose clock has run out, looked at since it began. */
export const due = (on: Queryable, projectId: string) =>
  read(on, sql`r.project_id = ${projectId} and r.answered_at is null and r.yields_at <= now() and hs.reported_at > r.created_at`);

/** Files held for longer than this for which the project has not asked yet. */
export const heldLong = (on: Queryable, projectId: string, seconds: number) =>
  rows<{ holdId: string; node: string; display: string }>(
    on,
    sql`select c.hold_id as "holdId", c.node, c.display from claims c join holds h on h.id = c.hold_id
        where c.project_id = ${projectId} and c.ended_ver is null and c.kind = 'file' and c.granted_at < now() - make_interval(secs => ${seconds})
          and h.parked_at is null
          and not exists (select 1 from requests r where r.hold_id = c.hold_id and r.node = c.node and r.session_id is null)`,
  );

/** Projects with something to tell or to time. */
export async function projectsAsking(on: Queryable): Promise<{ told: string[]; open: string[] }> {
  const found = await rows<{ id: string; open: boolean }>(
    on,
    sql`select r.project_id as id, bool_or(r.answered_at is null) as open from requests r where ${isTold} group by r.project_id`,
  );
  return { told: found.map(({ id }) => id), open: found.filter(({ open }) => open).map(({ id }) => id) };
}

/** A session's worktree was looked at; these of its claims have something uncommitted. */
export async function touched(on: Queryable, sessionId: string, claims: Array<{ holdId: string; node: string }>): Promise<void> {
  await on.execute(sql`update sessions set reported_at = now() where id = ${sessionId}`);
  if (claims.length === 0) return;
  await on.execute(sql`
    update claims c set touched_at = now() from jsonb_to_recordset(${JSON.stringify(claims)}::jsonb) as t("holdId" uuid, node text)
    where c.hold_id = t."holdId" and c.node = t.node and c.ended_ver is null`);
}
