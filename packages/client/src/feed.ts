import { closeCodes, type FeedEvent } from '@nexus/contract';
import { createClient, NexusError, NexusUnreachable } from './client.ts';
import { createFeedReader, refused } from './feed-reader.ts';
import { droppedByReader, type FeedSocket, openSocket, type SocketFactory } from './feed-socket.ts';

export type FeedState = 'connecting' | 'live' | 'waiting';

export type FollowFeedOptions = {
  /** Where the server is, without `/api`. */
  server: string;
  apiKey: string;
  projectId: string;
  /** `epoch.seq` of the last event seen; `0` for all that is kept; without it, from now on. */
  after?: string | undefined;
  /** Gets every event once, in order; the next one waits for its promise. A throw ends the feed. */
  onEvent: (event: FeedEvent, cursor: string) => void | Promise<void>;
  /** Events were missed for good: read the state again. The feed goes on from `cursor`. */
  onReset?: (cursor: string) => void | Promise<void>;
  /** Connected, from this cursor on: after the first time it says where the feed began. */
  onJoined?: (cursor: string) => void;
  onState?: (state: FeedState, detail?: string) => void;
  signal: AbortSignal;
  WebSocketImpl?: SocketFactory;
  /** Milliseconds between heartbeats, and of silence after which the other side counts as gone. For tests. */
  timing?: { heartbeatMs: number; silenceMs: number };
};

/** Three heartbeats unanswered are silence. */
const usualTiming = { heartbeatMs: 20_000, silenceMs: 60_000 };
const backoffMs = { least: 200, most: 10_000 };

/**
 * Follows a project's events through every disconnection until `signal` aborts; then it returns.
 * Throws NexusError when the key or the project is refused: trying again would not help.
 */
export async function followFeed(options: FollowFeedOptions): Promise<void> {
  const position = { cursor: options.after };
  for (let failures = 0; !options.signal.aborted;) {
    options.onState?.('connecting');
    const ending = await followOnce(options, position);
    if (ending.error !== undefined) throw ending.error;
    failures = ending.joined ? 1 : failures + 1;
    if (options.signal.aborted) return;
    options.onState?.('waiting', ending.reason);
    const most = Math.min(backoffMs.most, backoffMs.least * 2 ** (failures - 1));
    await pause(ending.slow ? backoffMs.most : most * (0.5 + Math.random() / 2), options.signal);
  }
}

type Ending = { joined: boolean; reason: string; slow: boolean; error?: Error };
type Position = { cursor: string | undefined };

async function followOnce(options: FollowFeedOptions, position: Position): Promise<Ending> {
  const ending: Ending = { joined: false, reason: 'connection closed', slow: false };
  let socket: FeedSocket;
  try {
    socket = await openSocket({
      url: socketUrl(options.server),
      headers: { authorization: `Bearer ${options.apiKey}` },
      signal: options.signal,
      WebSocketImpl: options.WebSocketImpl,
    });
  } catch (error) {
    if (options.signal.aborted) return ending;
    // Not every WebSocket implementation tells the status of a refused upgrade, so an ordinary request finds out.
    const refusal = await refusalOf(options);
    return { ...ending, reason: message(error), ...(refusal ? { error: refusal } : {}) };
  }

  const reader = createFeedReader({
    projectId: options.projectId,
    position,
    send: socket.send,
    onEvent: options.onEvent,
    onReset: options.onReset,
    onJoined: (cursor) => {
      ending.joined = true;
      options.onJoined?.(cursor);
      options.onState?.('live');
    },
  });
  const { heartbeatMs, silenceMs } = options.timing ?? usualTiming;
  const heartbeat = setInterval(() => socket.send(JSON.stringify({ type: 'heartbeat' })), heartbeatMs);
  const watchdog = setInterval(() => {
    if (Date.now() - socket.lastTraffic() > silenceMs) socket.drop('no answer for too long');
  }, silenceMs / 10);
  try {
    const closed = await socket.run(reader);
    ending.reason = closed.reason || `closed with ${closed.code}`;
    if (closed.code === droppedByReader) ending.joined = false;
    ending.slow = closed.code === closeCodes.tooMany;
    if (closed.code === closeCodes.unauthorized)
      ending.error = refused('INVALID_API_KEY', closed.reason || 'The API key is not valid any more.');
    if (closed.code === closeCodes.forbidden) ending.error = refused('FORBIDDEN', closed.reason || 'This project is not open to you.');
  } catch (error) {
    ending.error = error instanceof Error ? error : new Error(String(error), { cause: error });
  } finally {
    clearInterval(heartbeat);
    clearInterval(watchdog);
  }
  return ending;
}

function socketUrl(server: string): string {
  const url = new URL('/ws', server);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

async function refusalOf({ server, apiKey, projectId, signal }: FollowFeedOptions): Promise<NexusError | undefined> {
  try {
    await createClient({ server, apiKey, retries: 0 }).getProject({ projectId }, { signal });
  } catch (error) {
    if (error instanceof NexusError && [401, 403, 404].includes(error.status)) return error;
    if (!(error instanceof NexusError || error instanceof NexusUnreachable || signal.aborted)) throw error;
  }
  return undefined;
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
