import { closeCodes, type EventsPage } from '@nexus/contract';
import type { Bus } from '../engines/bus/bus.ts';
import type { Database } from '../engines/database/database.ts';
import { isDatabaseAway, notFound, unavailable } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { startOf } from './cursor.ts';
import { eventsAfter, heads, position } from './feed.store.ts';
import { createGate } from './flow.ts';
import { cursorOf, toEvent } from './frame.ts';
import { createRoom, RING, type Room, type Subscription } from './room.ts';
import type { Sink } from './subscriber.ts';

export type FeedNeeds = {
  database: Database;
  bus: Bus;
  log: Log;
  /** How late an event may be whose nudge was lost. */
  pollMs?: number;
  /** How long a reader may take nothing before it is closed. */
  blockedMs?: number;
  now?: () => number;
};

export type Feed = ReturnType<typeof createFeed>;

/** Readers that are behind read history beside the picks of everyone else: so few of them at a time. */
const HISTORY_READS = 2;

/** The events of projects, to read and to follow. What wakes it may get lost; what it sends is always read from the ledger. */
export function createFeed({ database, bus, log, pollMs = 2000, blockedMs = 30_000, now = Date.now }: FeedNeeds) {
  const { db } = database;
  const rooms = new Map<string, Room>();
  const gate = createGate(HISTORY_READS);
  let closed = false;
  let polling = false;

  const forget = bus.subscribe('feed', (message) => {
    const [projectId = '', seq] = message.split(' ');
    rooms.get(projectId)?.heard({ head: Number(seq) });
  });
  const timer = setInterval(() => void poll(), pollMs);
  timer.unref();

  async function poll(): Promise<void> {
    for (const room of rooms.values()) room.tick();
    if (polling || rooms.size === 0) return;
    polling = true;
    try {
      for (const at of await heads(db, [...rooms.keys()])) rooms.get(at.projectId)?.heard(at);
    } catch (error) {
      failed(error);
    } finally {
      polling = false;
    }
  }

  /** Nothing is lost by it: the next poll goes on from every cursor. */
  function failed(error: unknown) {
    log[isDatabaseAway(error) ? 'debug' : 'warn']({ err: error }, 'feed: could not read events');
  }

  function roomOf(projectId: string): Room {
    const known = rooms.get(projectId);
    if (known) return known;
    const room = createRoom({
      projectId,
      position: () => position(db, projectId),
      read: (after) => eventsAfter(db, projectId, after, RING),
      history: (after, limit) => gate(() => eventsAfter(db, projectId, after, limit)),
      now,
      blockedMs,
      failed,
      empty: () => rooms.delete(projectId),
    });
    rooms.set(projectId, room);
    return room;
  }

  /** Starts paused: `drain()` starts it. Throws NOT_FOUND for an unknown project; who may read it is the caller's to ask. */
  async function subscribe(projectId: string, after: string | undefined, sink: Sink): Promise<Subscription> {
    if (closed) throw unavailable('The event feed');
    const subscription = await roomOf(projectId).join(after, sink);
    if (!closed) return subscription;
    subscription.close();
    throw unavailable('The event feed');
  }

  /** Up to `limit` events after a cursor. Throws NOT_FOUND for an unknown project. */
  async function page(projectId: string, after: string | undefined, limit: number): Promise<EventsPage> {
    const at = await position(db, projectId);
    if (!at) throw notFound();
    const start = startOf(after, at);
    const nothing = { items: [], cursor: cursorOf(at.epoch, start.seq), hasMore: false, reset: start.reset };
    if (start.reset || start.seq === at.head) return nothing;
    const found = await eventsAfter(db, projectId, start.seq, limit);
    if (!found) throw notFound();
    const last = found.events.at(-1);
    // Restored or pruned since the first look.
    if (!last || found.epoch !== at.epoch || found.events[0]?.seq !== start.seq + 1) {
      return { ...nothing, cursor: cursorOf(found.epoch, found.head), reset: true };
    }
    return {
      items: found.events.map((row) => toEvent(found.epoch, row)),
      cursor: cursorOf(found.epoch, last.seq),
      hasMore: last.seq < found.head,
      reset: false,
    };
  }

  return {
    page,
    subscribe,
    /** Call after each commit that appended events; `seq` is the last of them. Wakes the readers at every replica. */
    committed: (projectId: string, seq: number) => bus.publish('feed', `${projectId} ${seq}`),
    readers: () => [...rooms.values()].reduce((sum, room) => sum + room.readers(), 0),
    /** Ends every subscription with `goingAway`. */
    close() {
      closed = true;
      clearInterval(timer);
      forget();
      for (const room of rooms.values()) room.close(closeCodes.goingAway, 'The server is shutting down. Connect again.');
    },
  };
}
