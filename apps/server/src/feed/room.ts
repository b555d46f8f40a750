import { notFound } from '../platform/errors.ts';
import { startOf } from './cursor.ts';
import type { EventRows, Position } from './feed.store.ts';
import { cursorOf, eventFrame, type Frame } from './frame.ts';
import { coalesced } from './flow.ts';
import { createSubscriber, type Sink, type Subscriber } from './subscriber.ts';

export type Subscription = {
  /** Where it starts: what comes first is the event after this, or a reset. */
  cursor: string;
  /** Starts it, and makes it go on after its sink answered `queued` or `blocked`. */
  drain: () => void;
  close: () => void;
};

export type RoomNeeds = {
  projectId: string;
  position: () => Promise<Position | undefined>;
  /** The next events after a number, `RING` of them at most. */
  read: (after: number) => Promise<EventRows | undefined>;
  /** The same for one reader that is behind; these wait in a queue of their own. */
  history: (after: number, limit: number) => Promise<EventRows | undefined>;
  now: () => number;
  blockedMs: number;
  failed: (error: unknown) => void;
  empty: () => void;
};

export type Room = ReturnType<typeof createRoom>;

/** Readers within so many events of the head are served from memory; one read brings no more, so none falls out by it. */
export const RING = 256;

/** A project's readers, and its last events. `head` is the last event the room has seen, never ahead of the ledger. */
export function createRoom({ projectId, position, read, history, now, blockedMs, failed, empty }: RoomNeeds) {
  let epoch = '';
  let head = 0;
  let ring: Frame[] = [];
  let joining = 0;
  const subscribers = new Set<Subscriber>();
  const whereNow = coalesced(position);
  const refresh = coalesced(catchUp);
  const wake = () => void refresh().catch(failed);
  const pumpAll = () => {
    for (const subscriber of subscribers) pump(() => subscriber.pump());
  };
  const pump = (work: () => Promise<void>) => void work().catch(failed);

  async function catchUp(): Promise<void> {
    for (;;) {
      const found = await read(head);
      if (!found) return;
      if (found.epoch !== epoch || found.head < head) return restart(found);
      const from = head;
      if (found.events[0]?.seq === head + 1) ring = [...ring, ...found.events.map((row) => eventFrame(epoch, row))].slice(-RING);
      else ring = [];
      // Without the next event the ledger has deleted it already: readers notice when they look for it.
      head = ring.at(-1)?.seq ?? found.head;
      if (head > from) pumpAll();
      if (head >= found.head) return;
    }
  }

  function restart(found: EventRows) {
    epoch = found.epoch;
    head = found.head;
    ring = [];
    for (const subscriber of subscribers) subscriber.restarted();
    pumpAll();
  }

  async function join(after: string | undefined, sink: Sink): Promise<Subscription> {
    joining += 1;
    try {
      const at = await whereNow();
      if (!at) throw notFound();
      if (epoch === '') ({ epoch, head } = at);
      const start = startOf(after, at);
      const subscriber: Subscriber = createSubscriber({
        room: view,
        sink,
        epoch: at.epoch,
        start,
        blockedMs,
        gone: () => leave(subscriber),
      });
      subscribers.add(subscriber);
      heard(at);
      return {
        cursor: cursorOf(at.epoch, start.seq),
        drain: () => pump(() => subscriber.drain()),
        close: () => subscriber.close(),
      };
    } finally {
      joining -= 1;
      leave(undefined);
    }
  }

  function leave(subscriber: Subscriber | undefined) {
    if (subscriber) subscribers.delete(subscriber);
    if (subscribers.size === 0 && joining === 0) empty();
  }

  /** Looks at the ledger unless the room is there already. A nudge knows no epoch. */
  function heard(at: { epoch?: string; head: number }) {
    const newer = at.head > head || (at.epoch !== undefined && (at.epoch !== epoch || at.head !== head));
    if (epoch !== '' && newer) wake();
  }

  const view = {
    projectId,
    epoch: () => epoch,
    head: () => head,
    recent: (seq: number) => ring[seq - (ring[0]?.seq ?? Infinity)],
    history,
    refresh: wake,
    now,
  };

  return {
    join,
    readers: () => subscribers.size,
    heard,
    tick: () => subscribers.forEach((subscriber) => pump(() => subscriber.tick())),
    close: (code: number, reason: string) => subscribers.forEach((subscriber) => subscriber.close(code, reason)),
  };
}
