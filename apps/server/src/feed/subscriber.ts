import { closeCodes } from '@nexus/contract';
import type { Start } from './cursor.ts';
import type { EventRows } from './feed.store.ts';
import { eventFrame, type Frame, resetFrame } from './frame.ts';

/** Where frames go. `queued`: taken, but no more before `drain`. `blocked`: not taken. */
export type Sink = {
  send: (frame: Frame) => 'sent' | 'queued' | 'blocked';
  /** The feed gives this reader up; `code` is one of `closeCodes`. */
  close: (code: number, reason: string) => void;
};

export type RoomView = {
  projectId: string;
  epoch: () => string;
  head: () => number;
  /** The event of this number if it is one of the last few. */
  recent: (seq: number) => Frame | undefined;
  history: (after: number, limit: number) => Promise<EventRows | undefined>;
  refresh: () => void;
  now: () => number;
};

export type Subscriber = ReturnType<typeof createSubscriber>;

/** As much of a page of history as one reader may keep in memory; of usual events, 300 bytes each, that is a page. */
const PAGE_BYTES = 64 * 1024;
const PAGE = 200;
/** So many events passing by a reader that takes none: it is not coming back soon, and its cursor brings it back any time. */
const MOST_BEHIND = 10_000;

/**
 * One reader: a cursor that moves only when its sink took a frame. Starts paused; `drain` starts it, and goes on after
 * every pause. There is no hand-over from history to live: both are "what comes after the cursor".
 */
export function createSubscriber({ room, sink, epoch: bornIn, start, blockedMs, gone }: SubscriberNeeds) {
  let epoch = bornIn;
  let cursor = start.seq;
  let resetDue = start.reset;
  let page: Frame[] = [];
  let limit = PAGE;
  let paused: { since: number; head: number } | undefined = { since: room.now(), head: room.head() };
  let pumping = false;
  let closed = false;

  async function pump(): Promise<void> {
    if (pumping) return;
    pumping = true;
    try {
      while (!closed && !paused) {
        const frame = resetDue ? resetFrame(room.projectId, room.epoch(), room.head()) : upcoming();
        if (frame) deliver(frame);
        else if (epoch !== room.epoch() || cursor >= room.head() || !(await readOn())) return;
      }
    } finally {
      pumping = false;
    }
  }

  function upcoming(): Frame | undefined {
    if (epoch !== room.epoch() || cursor >= room.head()) return undefined;
    const recent = room.recent(cursor + 1);
    if (recent) page = [];
    return recent ?? (page[0]?.seq === cursor + 1 ? page.shift() : undefined);
  }

  function deliver(frame: Frame) {
    const outcome = sink.send(frame);
    if (outcome !== 'sent') paused = { since: room.now(), head: room.head() };
    if (outcome === 'blocked') {
      page = [];
      return;
    }
    cursor = frame.seq;
    if (frame.type === 'reset') {
      epoch = room.epoch();
      resetDue = false;
      page = [];
    }
  }

  /** False when there is nothing to go on with before the room wakes its readers again. */
  async function readOn(): Promise<boolean> {
    const read = await room.history(cursor, limit);
    if (!read || read.epoch !== room.epoch()) {
      room.refresh();
      return false;
    }
    if (read.events[0]?.seq === cursor + 1) {
      page = firstBytes(read);
      // Large events: do not read again and again what does not fit.
      limit = Math.min(PAGE, page.length * 2);
    } else resetDue = true;
    return true;
  }

  function close(code?: number, reason = '') {
    if (closed) return;
    closed = true;
    page = [];
    gone();
    if (code !== undefined) sink.close(code, reason);
  }

  return {
    pump,
    drain() {
      paused = undefined;
      return pump();
    },
    /** The history is another one, or shorter than it was. */
    restarted() {
      if (epoch !== room.epoch() || cursor > room.head()) resetDue = true;
    },
    /** From time to time: gives up a reader that takes nothing, and tries again what the database failed. */
    tick() {
      if (!paused) return pump();
      if (room.now() - paused.since > blockedMs || room.head() - paused.head > MOST_BEHIND) {
        close(closeCodes.slowConsumer, 'Reading too slowly. Connect again with the last cursor.');
      }
      return Promise.resolve();
    },
    close,
  };
}

type SubscriberNeeds = { room: RoomView; sink: Sink; epoch: string; start: Start; blockedMs: number; gone: () => void };

function firstBytes({ epoch, events }: EventRows): Frame[] {
  const frames: Frame[] = [];
  let bytes = 0;
  for (const row of events) {
    const frame = eventFrame(epoch, row);
    bytes += frame.json.length;
    if (frames.length > 0 && bytes > PAGE_BYTES) break;
    frames.push(frame);
  }
  return frames;
}
