import type { Feed } from './feed.ts';
import { parseCursor } from './cursor.ts';
import type { Subscription } from './room.ts';
import type { Frame } from './frame.ts';

export type StreamNeeds = {
  feed: Feed;
  projectId: string;
  /** `resumeFrom(…)` of the request. */
  after: string | undefined;
  /** Ends the stream: the request's own, with whatever else should. */
  signal: AbortSignal;
  /** Asked every minute: may this caller still read the project? A failure to answer leaves the stream open. */
  allowed?: () => Promise<boolean>;
  recheckMs?: number;
};

/** An intermediary that closes silent connections does so after 30 s or more. */
const COMMENT_MS = 15_000;
const BUFFER_BYTES = 64 * 1024;
const text = new TextEncoder();

/** An EventSource that connects again repeats its URL and adds the header: the header is the newer. Throws VALIDATION_ERROR. */
export const resumeFrom = (lastEventId: string | null | undefined, after: string | undefined): string | undefined =>
  parseCursor(lastEventId || after);

/**
 * The project's events as server-sent events. Throws NOT_FOUND for an unknown project before anything is sent; that the
 * caller may read it is checked before. Bun ends a silent answer after 10 s: call `server.timeout(request, 0)`.
 */
export async function eventsStream({ feed, projectId, after, signal, allowed, recheckMs = 60_000 }: StreamNeeds): Promise<Response> {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let subscription: Subscription | undefined;
  const timers: ReturnType<typeof setInterval>[] = [];

  function end() {
    for (const timer of timers.splice(0)) clearInterval(timer);
    signal.removeEventListener('abort', end);
    subscription?.close();
    try {
      controller?.close();
    } catch {
      // Closed by the client already.
    }
    controller = undefined;
  }

  const send = ({ cursor, type, json }: Frame) => {
    if (!controller || (controller.desiredSize ?? 0) <= 0) return 'blocked';
    controller.enqueue(text.encode(`id: ${cursor}\nevent: ${type}\ndata: ${json}\n\n`));
    return 'sent';
  };
  subscription = await feed.subscribe(projectId, after, { send, close: end });

  const body = new ReadableStream<Uint8Array>(
    {
      start(started) {
        controller = started;
        controller.enqueue(text.encode('retry: 1000\n\n'));
      },
      pull: () => subscription?.drain(),
      cancel: end,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: BUFFER_BYTES }),
  );
  timers.push(
    setInterval(() => {
      if (controller && (controller.desiredSize ?? 0) > 0) controller.enqueue(text.encode(': still here\n\n'));
    }, COMMENT_MS),
  );
  if (allowed) {
    timers.push(
      setInterval(
        () =>
          void allowed().then(
            (yes) => void (yes || end()),
            () => undefined,
          ),
        recheckMs,
      ),
    );
  }
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });

  return new Response(body, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
  });
}
