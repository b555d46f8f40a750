import type { ListMessagesQuery, Message, SendMessageBody } from '@nexus/contract';
import type { z } from 'zod';
import { type Claims, obstacles, openHolds, parseTouches } from '../claims/index.ts';
import type { Database, Queryable } from '../engines/database/database.ts';
import { featureBySlug } from '../features/index.ts';
import type { Ledger } from '../ledger/index.ts';
import type { Actor, Principal, SessionRef } from '../platform/actor.ts';
import { AppError, notFound } from '../platform/errors.ts';
import { isUuid } from '../platform/ids.ts';
import { pageOf, positionOf } from '../platform/page.ts';
import type { Rules } from '../projects/index.ts';
import { dropEntries, indexEntries } from '../search/index.ts';
import { liveSessions, requireLive, sessionById } from '../sessions/index.ts';
import {
  acknowledge,
  deleteMessages,
  insertMessage,
  insertRecipients,
  messageById,
  messagesOf,
  oldMessages,
  type Recipient,
} from './messages.store.ts';

export type Messages = ReturnType<typeof createMessages>;

type Needs = {
  database: Database;
  ledger: Ledger;
  claims: Claims;
  rules: (projectId: string) => Promise<Rules>;
  /** A session of the caller's, by id or as `<agent>:<agent's session id>`; throws NOT_FOUND. */
  resolve: (principal: Principal, projectId: string, name: string) => Promise<SessionRef>;
  /** Beats are to carry it. */
  sent: (sessions: string[]) => void;
};

type Addressed = { audience: Message['to']['audience']; about: string | null; recipients: Recipient[] };

/** What sessions and people say to each other. Nobody has to listen: a message claims, frees and decides nothing. */
export function createMessages({ database, ledger, claims, rules, resolve, sent }: Needs) {
  async function send(actor: Actor, body: SendMessageBody): Promise<Message> {
    const { projectId, engineer, session } = actor;
    const id = Bun.randomUUIDv7();
    const { told, message } = await claims.attempt(projectId, () =>
      ledger.change(actor, 'send', async (tx, at) => {
        if (session) await requireLive(tx, session);
        const before = body.replyTo === undefined ? undefined : await require(tx, actor, body.replyTo);
        const { audience, about, recipients } = await address(tx, actor, body.to, before);
        await insertMessage(tx, {
          id,
          projectId,
          threadId: before?.threadId ?? id,
          replyTo: before?.id ?? null,
          kind: body.kind,
          payload: body.payload,
          engineerId: engineer.id,
          sessionId: session?.id ?? null,
          audience,
          about,
          deadlineSeconds: body.deadlineSeconds ?? null,
        });
        if (recipients.length > 0) await insertRecipients(tx, id, recipients);
        const to = recipients.flatMap(({ sessionId }) => sessionId ?? []);
        const featureId = audience === 'feature' && about ? ((await featureBySlug(tx, projectId, about))?.id ?? null) : null;
        const readers = [...new Set([engineer.id, ...recipients.map((one) => one.engineerId)])];
        await indexEntries(tx, projectId, [
          {
            ...{ kind: 'message', id, featureId, engineerId: engineer.id, title: '', body: textIn(body.payload) },
            ...(audience === 'project' ? {} : { readers }),
          },
        ]);
        // The whole project reads the feed: what was said is for those it was said to.
        at.emit({ type: 'message_sent', data: { messageId: id, kind: body.kind, audience, about, to, replyTo: before?.id ?? null } });
        return { told: to, message: await require(tx, actor, id) };
      }),
    );
    sent(told);
    return message;
  }

  async function address(tx: Queryable, actor: Actor, to: SendMessageBody['to'], before: Message | undefined): Promise<Addressed> {
    const { projectId, session } = actor;
    if (to === undefined) {
      const { engineerId, sessionId } = before?.from ?? { engineerId: actor.engineer.id, sessionId: null };
      return { audience: 'session', about: null, recipients: [{ engineerId, sessionId }] };
    }
    if ('session' in to) {
      const found = isUuid(to.session) ? await sessionById(tx, to.session) : undefined;
      if (!found || found.projectId !== projectId) throw notFound();
      if (found.status !== 'active') throw nobody(`That session is ${found.status}.`);
      return { audience: 'session', about: null, recipients: [{ engineerId: found.engineerId, sessionId: found.id }] };
    }
    if ('project' in to) {
      const others = (await liveSessions(tx, projectId)).filter(({ id }) => id !== session?.id);
      return { audience: 'project', about: null, recipients: others.map(({ engineerId, id }) => ({ engineerId, sessionId: id })) };
    }
    const holds = 'feature' in to ? await holdsOfFeature(tx, projectId, to.feature) : await holdsAt(tx, projectId, to.path);
    const about = 'feature' in to ? to.feature : to.path;
    const others = holds.filter(({ sessionId, parkedAt }) => parkedAt === null && sessionId !== session?.id);
    const recipients = [...new Map(others.map(({ engineerId, sessionId }) => [sessionId, { engineerId, sessionId }])).values()];
    if (recipients.length === 0)
      throw nobody(holds.length === 0 ? `Nobody holds ${about}.` : `Only a parked hold, or this session, has ${about}.`);
    return { audience: 'feature' in to ? 'feature' : 'path', about, recipients };
  }

  async function holdsOfFeature(tx: Queryable, projectId: string, slug: string) {
    const feature = await featureBySlug(tx, projectId, slug);
    if (!feature) throw notFound();
    return openHolds(tx, projectId, { featureId: feature.id });
  }

  async function holdsAt(tx: Queryable, projectId: string, path: string) {
    const wanted = parseTouches([path], 'to', await rules(projectId));
    return (await obstacles(tx, projectId, wanted, [])).map(({ held }) => held.hold);
  }

  async function list(actor: Actor, { cursor, limit, box, session, open, thread }: z.output<typeof ListMessagesQuery>) {
    if (thread !== undefined && !isUuid(thread)) throw notFound();
    const only = session === undefined ? undefined : await ownSession(actor, session);
    const found = await messagesOf(
      database.db,
      actor.projectId,
      actor.engineer.id,
      { box, session: only, open: open === 'true', thread },
      { after: positionOf(cursor), limit: limit + 1 },
    );
    return pageOf(found, limit, ({ createdAt, id }) => ({ at: createdAt, id }));
  }

  /** For one session of the caller's, or for all of them. Once more is the same. */
  async function ack(actor: Actor, id: string, session: string | undefined): Promise<Message> {
    const only = session === undefined ? undefined : await ownSession(actor, session);
    return ledger.change(actor, 'ack', async (tx, at) => {
      const message = await require(tx, actor, id);
      if (await acknowledge(tx, id, actor.engineer.id, only)) at.emit({ type: 'message_acknowledged', data: { messageId: id } });
      else if (!message.recipients.some(({ engineerId }) => engineerId === actor.engineer.id))
        throw new AppError('INVALID_STATUS_TRANSITION', 'This message was not sent to you: only who got one acknowledges it.');
      return require(tx, actor, id);
    });
  }

  const ownSession = async (actor: Actor, name: string) => (await resolve(actor, actor.projectId, name)).id;

  async function require(on: Queryable, { projectId, engineer }: Actor, id: string): Promise<Message> {
    const found = isUuid(id) ? await messageById(on, projectId, engineer.id, id) : undefined;
    if (!found) throw notFound();
    return found;
  }

  /** Removes threads in which nobody wrote for so many days, and finds them no more. A reply that comes meanwhile stays. */
  async function prune({ keepDays }: { keepDays: number }): Promise<void> {
    for (const { projectId, ids } of await oldMessages(database.db, keepDays))
      await ledger.change({ projectId, system: true }, 'prune', async (tx) => {
        await dropEntries(tx, projectId, 'message', ids);
        await deleteMessages(tx, projectId, ids);
      });
  }

  return { send, list, ack, prune };
}

const nobody = (why: string) =>
  new AppError('INVALID_STATUS_TRANSITION', `${why} Nothing was sent. Send it to the project, or to another session (nexus status).`);

/** What of a payload people would look for. */
function textIn(payload: unknown): string {
  if (typeof payload === 'string') return payload;
  return typeof payload === 'object' && payload !== null ? Object.values(payload).map(textIn).filter(Boolean).join('\n') : '';
}
