import { z } from 'zod';
import { Timestamp } from './common.ts';

export const eventTypes = [
  'project_created',
  'project_updated',
  'project_imported',
  'member_added',
  'member_updated',
  'member_removed',
  'message_sent',
  'message_acknowledged',
  'invitation_created',
  'invitation_revoked',
  'feature_created',
  'feature_updated',
  'feature_deleted',
  'feature_claimed',
  'feature_released',
  'feature_completed',
  'feature_cancelled',
  'files_claimed',
  'files_released',
  'resource_allocated',
  'wait_started',
  'wait_ended',
  'path_requested',
  'request_answered',
  'patch_offered',
  'patch_free',
  'patch_applied',
  'patch_rejected',
  'patch_withdrawn',
  'learning_added',
  'decision_added',
  'checkpoint_added',
  'session_started',
  'session_ended',
] as const;
export const EventType = z.enum(eventTypes);
export type EventType = z.infer<typeof EventType>;

/** One change of a project. Unknown types and fields must be ignored by readers. */
export const FeedEvent = z
  .looseObject({
    type: z.string(),
    /** Gapless per project, in commit order. */
    seq: z.number().int(),
    /** Changes when the database was restored from a backup: the numbers start another history. */
    epoch: z.string(),
    at: Timestamp,
    feature: z.object({ id: z.string(), slug: z.string(), title: z.string() }).nullable(),
    engineer: z.object({ id: z.string(), name: z.string() }).nullable(),
    actor: z.object({ engineer: z.string().nullable(), session: z.string().nullable(), agent: z.string().nullable() }),
    correlationId: z.string().nullable(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'FeedEvent' });
export type FeedEvent = z.infer<typeof FeedEvent>;

/** `epoch.seq` of the last event seen; `0` is before the first of the current epoch. */
export const Cursor = z
  .string()
  .regex(/^(?:[0-9a-f-]{36}\.\d{1,15}|0)$/, 'A cursor is "epoch.seq", as the events carry it, or "0" for all that is kept.');

export const EventsQuery = z.object({ after: Cursor.optional(), limit: z.coerce.number().int().min(1).max(1000).default(200) });
export const EventsPage = z
  .object({
    items: z.array(FeedEvent),
    /** Give it back as `after`. */
    cursor: z.string(),
    hasMore: z.boolean(),
    /** The cursor was of another epoch, or older than what is kept: read the state again, then go on from `cursor`. */
    reset: z.boolean(),
  })
  .meta({ id: 'EventsPage' });
export type EventsPage = z.infer<typeof EventsPage>;

export const SocketClientMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('join'), projectId: z.string().max(64), after: Cursor.optional() }),
  z.object({ type: z.literal('leave'), projectId: z.string().max(64).optional() }),
  z.object({ type: z.literal('heartbeat') }),
]);
export type SocketClientMessage = z.infer<typeof SocketClientMessage>;

/** What the server sends beside events. */
export const SocketServerMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('connected'), connectionId: z.string() }),
  z.object({ type: z.literal('joined'), sessionId: z.string().nullable(), projectId: z.string(), cursor: z.string() }),
  z.object({ type: z.literal('left'), projectId: z.string() }),
  z.object({ type: z.literal('heartbeat') }),
  z.object({ type: z.literal('reset'), projectId: z.string(), cursor: z.string() }),
  z.object({ type: z.literal('error'), code: z.string(), message: z.string() }),
]);
export type SocketServerMessage = z.infer<typeof SocketServerMessage>;

/** Close codes of `/ws`. */
export const closeCodes = { goingAway: 1001, slowConsumer: 4008, unauthorized: 4401, forbidden: 4403, tooMany: 4429 } as const;

export const WsTicket = z.object({ ticket: z.string(), expiresInSeconds: z.number() }).meta({ id: 'WsTicket' });
export const WsTicketBody = z.strictObject({ projectId: z.string().max(64).optional() }).prefault({});
