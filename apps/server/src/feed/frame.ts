import type { FeedEvent } from '@nexus/contract';
import type { EventRow } from './feed.store.ts';

/** What a subscriber is sent: made once for an event, whoever reads it. `cursor` is where its reader stands afterwards. */
export type Frame = { type: string; seq: number; cursor: string; json: string };

export const cursorOf = (epoch: string, seq: number): string => `${epoch}.${seq}`;

/** Clients of the original read an event's own fields at the top level; `data` has them too, whole. */
export function toEvent(epoch: string, row: EventRow): FeedEvent {
  const { engineer, agent, feature, data } = row.payload;
  return {
    ...data,
    type: row.type,
    seq: row.seq,
    epoch,
    at: row.at,
    feature,
    engineer,
    actor: { engineer: row.engineerId, session: row.sessionId, agent },
    correlationId: row.correlationId,
    data,
  };
}

export const eventFrame = (epoch: string, row: EventRow): Frame => ({
  type: row.type,
  seq: row.seq,
  cursor: cursorOf(epoch, row.seq),
  json: JSON.stringify(toEvent(epoch, row)),
});

export function resetFrame(projectId: string, epoch: string, head: number): Frame {
  const cursor = cursorOf(epoch, head);
  return { type: 'reset', seq: head, cursor, json: JSON.stringify({ type: 'reset', projectId, cursor }) };
}
