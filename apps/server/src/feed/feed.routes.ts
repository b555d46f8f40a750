import type { Feed } from './feed.ts';
import { parseCursor } from './cursor.ts';

export type StreamNeeds = {
  feed: Feed;
  projectId: string;
  /** `resumeFrom(…)` of the request. */
  after: string | undefined;
  /** Ends the stream: the request's own, with whatever else should. */
  signal: AbortSignal;
  /** Asked every minute: may this caller still read the project? A failure to answer leaves the stream open. */
  allowed?: () => Promise<boolean>;
  /** Calls back whenever that should be asked at once; answers how to stop it. */
  doubted?: (look: () => void) => () => void;
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
 * caller may read it is checked before. Call `server.timeout(request, 60)`: Bun's 10 s are less than the time between
 * comments, and 0 would keep the connection of a client that reads nothing for ever.
 */
export async function eventsStream({
  feed,
  projectId,
  after,
  signal,
  allowed,
  doubted,
  recheckMs = 60_000,
}: StreamNeeds): Promise<Response> {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);

  const write = (chunk: string): boolean => {
    if (ended.aborted || !controller || (controller.desiredSize ?? 0) <= 0) return false;
    controller.enqueue(text.encode(chunk));
    return true;
  };
  const subscription = await feed.subscribe(projectId, after, {
    send: ({ cursor, type, json }) => (write(`id: ${cursor}\nevent: ${type}\ndata: ${json}\n\n`) ? 'sent' : 'blocked'),
    close: () => stop.abort(),
  });
  const comments = setInterval(() => write(': still here\n\n'), COMMENT_MS);
  const look = () =>
    void allowed?.().then(
      (yes) => yes || stop.abort(),
      () => undefined,
    );
  const check = setInterval(look, recheckMs);
  const believe = doubted?.(look);

  function end() {
    clearInterval(comments);
    clearInterval(check);
    believe?.();
    subscription.close();
    try {
      controller?.close();
    } catch {
      // The client went first.
    }
  }

  const body = new ReadableStream<Uint8Array>(
    {
      start(started) {
        controller = started;
        write('retry: 1000\n\n');
        if (ended.aborted) end();
        else ended.addEventListener('abort', end, { once: true });
      },
      pull: subscription.drain,
      cancel: () => stop.abort(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: BUFFER_BYTES }),
  );
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
  });
}
