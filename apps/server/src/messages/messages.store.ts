import { sql, type SQL } from 'drizzle-orm';
import type { Message } from '@nexus/contract';
import { type Queryable, rows } from '../engines/database/database.ts';
import type { Position } from '../platform/page.ts';

/** How long what was told is told again, for the answer that carried it may have been lost; readers know it by its id. */
const AGAIN = sql.raw(`interval '10 minutes'`);
/** Nobody is told what waited longer. It stays in the inbox. */
const FRESH = sql.raw(`interval '1 day'`);

const select = sql`
  select m.id, m.project_id as "projectId", m.thread_id as "threadId", m.reply_to as "replyTo", m.kind, m.payload,
    jsonb_build_object('engineerId', m.engineer_id, 'engineerName', e.name, 'sessionId', m.session_id, 'agent', s.agent) as "from",
    jsonb_build_object('audience', m.audience, 'about', m.about) as "to", m.deadline, m.created_at as "createdAt",
    coalesce((select jsonb_agg(jsonb_build_object('engineerId', r.engineer_id, 'engineerName', re.name, 'sessionId', r.session_id, 'agent', rs.agent,
      'toldAt', r.told_at, 'acknowledgedAt', r.acknowledged_at) order by r.created_at, r.session_id)
      from message_recipients r join engineers re on re.id = r.engineer_id left join sessions rs on rs.id = r.session_id
      where r.message_id = m.id), '[]'::jsonb) as recipients,
    (m.deadline is not null and m.deadline <= now()
      and exists (select 1 from message_recipients o where o.message_id = m.id and o.acknowledged_at is null)) as overdue
  from messages m join engineers e on e.id = m.engineer_id left join sessions s on s.id = m.session_id`;

const time = (value: string | null) => value && new Date(value).toISOString();
const clean = (row: Message): Message => ({
  ...row,
  deadline: time(row.deadline),
  createdAt: new Date(row.createdAt).toISOString(),
  recipients: row.recipients.map((one) => ({ ...one, toldAt: time(one.toldAt), acknowledgedAt: time(one.acknowledgedAt) })),
});

/** Directed ones are for those who wrote or got them; others of the project learn that they exist from the feed, and no more. */
const visibleTo = (engineerId: string): SQL => sql`(m.audience = 'project' or m.engineer_id = ${engineerId}
  or exists (select 1 from message_recipients v where v.message_id = m.id and v.engineer_id = ${engineerId}))`;

export async function messageById(on: Queryable, projectId: string, engineerId: string, id: string): Promise<Message | undefined> {
  const [row] = await rows<Message>(on, sql`${select} where m.project_id = ${projectId} and m.id = ${id} and ${visibleTo(engineerId)}`);
  return row && clean(row);
}

export type Box = { box: 'inbox' | 'sent' | 'project'; session: string | undefined; open: boolean; thread: string | undefined };

export async function messagesOf(
  on: Queryable,
  projectId: string,
  engineerId: string,
  { box, session, open, thread }: Box,
  { after, limit }: { after: Position | undefined; limit: number },
): Promise<Message[]> {
  const mine = sql`exists (select 1 from message_recipients i where i.message_id = m.id and i.engineer_id = ${engineerId}
    ${session === undefined ? sql`` : sql`and i.session_id = ${session}`} ${open ? sql`and i.acknowledged_at is null` : sql``})`;
  const inBox = { inbox: mine, sent: sql`m.engineer_id = ${engineerId}`, project: sql`m.audience = 'project'` }[box];
  const found = await rows<Message>(
    on,
    sql`${select} where m.project_id = ${projectId} and ${thread === undefined ? inBox : sql`m.thread_id = ${thread} and ${visibleTo(engineerId)}`}
        ${after ? sql`and (m.created_at, m.id) < (${after.at}::timestamptz, ${after.id}::uuid)` : sql``}
        order by m.created_at desc, m.id desc limit ${limit}`,
  );
  return found.map(clean);
}

export const insertMessage = (
  tx: Queryable,
  m: {
    id: string;
    projectId: string;
    threadId: string;
    replyTo: string | null;
    kind: string;
    payload: Message['payload'];
    engineerId: string;
    sessionId: string | null;
    audience: Message['to']['audience'];
    about: string | null;
    deadlineSeconds: number | null;
  },
) =>
  tx.execute(sql`
    insert into messages (id, project_id, thread_id, reply_to, kind, payload, engineer_id, session_id, audience, about, deadline)
    values (${m.id}, ${m.projectId}, ${m.threadId}, ${m.replyTo}, ${m.kind}, ${JSON.stringify(m.payload)}::jsonb, ${m.engineerId}, ${m.sessionId},
      ${m.audience}, ${m.about}, now() + make_interval(secs => ${m.deadlineSeconds}::int))`);

export type Recipient = { engineerId: string; sessionId: string | null };

export const insertRecipients = (tx: Queryable, messageId: string, recipients: Recipient[]) =>
  tx.execute(sql`
    insert into message_recipients (message_id, engineer_id, session_id)
    select ${messageId}, r."engineerId", r."sessionId"
    from jsonb_to_recordset(${JSON.stringify(recipients)}::jsonb) as r("engineerId" uuid, "sessionId" uuid)`);

/** For a session, or for every one of the engineer's. True when that is news. */
export async function acknowledge(tx: Queryable, messageId: string, engineerId: string, session: string | undefined): Promise<boolean> {
  const done = await rows(
    tx,
    sql`update message_recipients set acknowledged_at = now(), told_at = coalesce(told_at, now())
        where message_id = ${messageId} and engineer_id = ${engineerId} and acknowledged_at is null
        ${session === undefined ? sql`` : sql`and session_id = ${session}`} returning message_id`,
  );
  return done.length > 0;
}

const untold = sql`r.acknowledged_at is null and r.created_at > now() - ${FRESH} and (r.told_at is null or r.told_at > now() - ${AGAIN})`;
const late = sql`m.session_id is not null and m.deadline <= now() and m.deadline > now() - ${AGAIN}
  and exists (select 1 from message_recipients o where o.message_id = m.id and o.acknowledged_at is null)`;

/** The live sessions that are to be told something: a message, or that nobody answered theirs in time. */
export async function sessionsToTell(on: Queryable): Promise<string[]> {
  const found = await rows<{ id: string }>(
    on,
    sql`select r.session_id as id from message_recipients r join messages m on m.id = r.message_id
          where r.session_id is not null and ${untold} and (m.deadline is null or m.deadline > now())
        union select m.session_id from messages m where ${late}`,
  );
  return found.map(({ id }) => id);
}

/** A beat stays small; what is new goes first. */
const AT_ONCE = 5;

export type Told = { session: string; message: Message };

/** What these sessions are to be told now; it counts as told from here on. */
export async function tell(on: Queryable, sessions: string[]): Promise<Told[]> {
  const ids = sql`any(${sql.param(sessions)}::uuid[])`;
  const found = await rows<{ session: string; id: string }>(
    on,
    sql`with due as (
          select * from (
            select r.message_id, r.session_id, row_number() over (partition by r.session_id order by r.told_at desc nulls first, r.created_at) as place
            from message_recipients r join messages m on m.id = r.message_id
            where r.session_id = ${ids} and ${untold} and (m.deadline is null or m.deadline > now())
          ) waiting where place <= ${AT_ONCE}
        ), marked as (
          update message_recipients r set told_at = coalesce(r.told_at, now()) from due
          where r.message_id = due.message_id and r.session_id = due.session_id returning r.message_id
        )
        select session_id as session, message_id as id from due
        union select m.session_id, m.id from messages m where m.session_id = ${ids} and ${late}`,
  );
  if (found.length === 0) return [];
  const read = await rows<Message>(
    on,
    sql`${select} where m.id = any(${sql.param(found.map(({ id }) => id))}::uuid[]) order by m.created_at, m.id`,
  );
  return read.map(clean).flatMap((message) => found.filter(({ id }) => id === message.id).map(({ session }) => ({ session, message })));
}

/** How many are removed at once: the next look takes the rest. */
const PRUNED = 5000;

/** Those of threads in which nobody wrote for so long, by project; never one that may still be answered in time. */
export const oldMessages = (on: Queryable, keepDays: number): Promise<Array<{ projectId: string; ids: string[] }>> =>
  rows(
    on,
    sql`with recent as (
          select thread_id from messages where created_at >= now() - make_interval(secs => ${keepDays * 86_400}) or deadline > now()
        )
        select project_id as "projectId", array_agg(id) as ids
        from (select id, project_id from messages where thread_id not in (select thread_id from recent) order by created_at limit ${PRUNED}) old
        group by project_id`,
  );

export async function deleteMessages(tx: Queryable, projectId: string, ids: string[]): Promise<void> {
  const these = sql`select id from messages where project_id = ${projectId} and id = any(${sql.param(ids)}::uuid[])`;
  await tx.execute(sql`delete from message_recipients where message_id in (${these})`);
  await tx.execute(sql`delete from messages where id in (${these})`);
}
