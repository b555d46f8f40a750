import type { Server, ServerWebSocket, WebSocketHandler } from 'bun';
import { closeCodes, type Role, SocketClientMessage, type SocketServerMessage } from '@nexus/contract';
import type { Principal } from '../platform/actor.ts';
import { AppError, isDatabaseAway, notFound, unavailable } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { requireScope } from '../platform/scopes.ts';
import type { Feed } from './feed.ts';
import { createGroups } from './groups.ts';
import { checkOrigin, offered, refusal } from './handshake.ts';
import type { Subscription } from './room.ts';
import type { TicketHolder, Tickets } from './tickets.ts';

export type SocketData = {
  connectionId: string;
  holder: TicketHolder;
  subscriptions: Map<string, Subscription>;
  /** Messages are answered one after another. */
  last: Promise<void>;
  waiting: number;
  joins: { left: number; at: number };
  closed: boolean;
};
type Socket = ServerWebSocket<SocketData>;

export type FeedSocketNeeds = {
  feed: Feed;
  /** Throws an AppError for a header that is missing or refused. */
  authenticate: (authorizationHeader: string | null, ip: string) => Promise<Principal>;
  membership: (engineerId: string, projectId: string) => Promise<Role | undefined>;
  /** Asked every minute, and of a key that was traded for a ticket, beside `keyChanged`, which a lost message would not call. */
  keyIsValid?: (key: Pick<TicketHolder, 'keyId' | 'secret'>) => Promise<boolean>;
  /** Whose address it is behind a proxy; by default the connection's own. */
  clientIp?: (request: Request, server: Server<SocketData>) => string;
  limits: { socketsPerKey: number; socketsPerProject: number };
  allowedOrigins: readonly string[];
  log: Log;
  tickets: Tickets;
  recheckMs?: number;
};

/** Joins cost queries: a burst, then one a second. */
const JOIN_BURST = 20;
const MOST_WAITING = 64;
/** A closing handshake waits behind what was not read yet; a reader that reads nothing would keep the socket for ever. */
const CLOSING_MS = 5000;

/** `/ws`: follows projects' feeds. A socket is a watcher: it neither makes nor renews a session. */
export function createFeedSocket(needs: FeedSocketNeeds) {
  const { feed, authenticate, membership, keyIsValid, limits, allowedOrigins, log, tickets, recheckMs = 60_000 } = needs;
  const byKey = createGroups<Socket>();
  const byProject = createGroups<Socket>();
  let closing = false;

  async function identify(request: Request, server: Server<SocketData>): Promise<TicketHolder> {
    const { ticket } = offered(request.headers.get('sec-websocket-protocol'));
    const header = request.headers.get('authorization');
    if (header === null && ticket !== undefined) {
      const holder = tickets.redeem(ticket);
      if (holder && (!keyIsValid || (await keyIsValid(holder)))) return holder;
      throw new AppError('UNAUTHORIZED', 'This ticket is used or expired. Get a new one from POST /api/ws-tickets.');
    }
    const ip = needs.clientIp ? needs.clientIp(request, server) : (server.requestIP(request)?.address ?? '');
    const principal = await authenticate(header, ip);
    requireScope(principal, { scope: 'read' });
    const { engineer, keyId, secret, boundTo } = principal;
    return { engineerId: engineer.id, keyId, secret, projectId: boundTo ?? undefined };
  }

  /** Undefined once the connection is a WebSocket, else the answer that refuses it. */
  async function upgrade(request: Request, server: Server<SocketData>): Promise<Response | undefined> {
    try {
      if (closing) throw unavailable('The event feed');
      checkOrigin(request, allowedOrigins);
      const data: SocketData = {
        connectionId: crypto.randomUUID(),
        holder: await identify(request, server),
        subscriptions: new Map(),
        last: Promise.resolve(),
        waiting: 0,
        joins: { left: JOIN_BURST, at: Date.now() },
        closed: false,
      };
      const { answer } = offered(request.headers.get('sec-websocket-protocol'));
      const headers = answer ? { 'sec-websocket-protocol': answer } : {};
      if (server.upgrade(request, { data, headers })) return undefined;
      throw new AppError(
        'VALIDATION_ERROR',
        'This address speaks WebSocket only. For events over HTTP see GET /api/projects/:projectId/events.',
      );
    } catch (error) {
      return refusal(understood(error));
    }
  }

  /** What a client may be told; anything that is not a refusal is a bug, and stays here. */
  function understood(error: unknown): AppError {
    if (error instanceof AppError) return error;
    if (isDatabaseAway(error)) return unavailable('The database', error);
    log.error({ err: error }, 'feed: socket failed');
    return new AppError('INTERNAL_ERROR', 'Something broke on the server. Try again; if it stays, report it.');
  }

  function end(ws: Socket, code: number, reason: string) {
    if (ws.data.closed) return;
    ws.close(code, reason);
    const timer = setTimeout(() => void (ws.data.closed || ws.terminate()), CLOSING_MS);
    timer.unref();
  }

  /** Answers are small; a client that leaves a megabyte of them unread is cut off. */
  function say(ws: Socket, message: SocketServerMessage) {
    if (ws.send(JSON.stringify(message)) === 0) end(ws, closeCodes.slowConsumer, 'Reading too slowly.');
  }

  async function join(ws: Socket, projectId: string, after: string | undefined): Promise<void> {
    const { holder, subscriptions } = ws.data;
    spendJoin(ws.data);
    leave(ws, projectId);
    const foreign = holder.projectId !== undefined && holder.projectId !== projectId;
    // Present before it is asked: whoever is removed meanwhile is found.
    byProject.add(projectId, ws);
    try {
      if (foreign || (await membership(holder.engineerId, projectId)) === undefined) throw notFound();
      if (byProject.size(projectId) > limits.socketsPerProject) {
        throw new AppError('RATE_LIMITED', 'This project has as many open sockets as it may. Close some, or try again later.');
      }
      const subscription = await feed.subscribe(projectId, after, {
        send: ({ json }) => {
          const taken = ws.send(json);
          return taken > 0 ? 'sent' : taken === 0 ? 'blocked' : 'queued';
        },
        close: (code, reason) => end(ws, code, reason),
      });
      if (ws.data.closed) return subscription.close();
      subscriptions.set(projectId, subscription);
      say(ws, { type: 'joined', sessionId: null, projectId, cursor: subscription.cursor });
      subscription.drain();
    } finally {
      if (!subscriptions.has(projectId)) byProject.remove(projectId, ws);
    }
  }

  function leave(ws: Socket, projectId: string) {
    ws.data.subscriptions.get(projectId)?.close();
    ws.data.subscriptions.delete(projectId);
    byProject.remove(projectId, ws);
  }

  async function answer(ws: Socket, text: string): Promise<void> {
    const message = read(text);
    switch (message.type) {
      case 'heartbeat':
        return say(ws, { type: 'heartbeat' });
      case 'join':
        return join(ws, message.projectId, message.after);
      case 'leave':
        for (const projectId of message.projectId === undefined ? [...ws.data.subscriptions.keys()] : [message.projectId]) {
          leave(ws, projectId);
          say(ws, { type: 'left', projectId });
        }
    }
  }

  async function hear(ws: Socket, text: string): Promise<void> {
    try {
      if (!ws.data.closed) await answer(ws, text);
    } catch (error) {
      const { code, message } = understood(error);
      if (!ws.data.closed) say(ws, { type: 'error', code, message });
    } finally {
      ws.data.waiting -= 1;
    }
  }

  const handlers: WebSocketHandler<SocketData> = {
    maxPayloadLength: 64 * 1024,
    backpressureLimit: 1024 * 1024,
    closeOnBackpressureLimit: false,
    idleTimeout: 60,
    sendPings: true,
    perMessageDeflate: false,
    open(ws) {
      byKey.add(ws.data.holder.keyId, ws);
      if (byKey.size(ws.data.holder.keyId) > limits.socketsPerKey) {
        return end(ws, closeCodes.tooMany, 'This key has as many open sockets as it may.');
      }
      say(ws, { type: 'connected', connectionId: ws.data.connectionId });
    },
    message(ws, message) {
      ws.data.waiting += 1;
      if (ws.data.waiting > MOST_WAITING) return end(ws, closeCodes.tooMany, 'Too many messages at once.');
      ws.data.last = ws.data.last.then(() => hear(ws, message.toString()));
    },
    drain(ws) {
      for (const subscription of ws.data.subscriptions.values()) subscription.drain();
    },
    close(ws) {
      ws.data.closed = true;
      for (const projectId of ws.data.subscriptions.keys()) leave(ws, projectId);
      byKey.remove(ws.data.holder.keyId, ws);
    },
  };

  /** A key was revoked or rotated: ends the sockets that were opened with a secret which is good no more. */
  async function keyChanged(keyId: string): Promise<void> {
    for (const secret of keyIsValid ? new Set(byKey.of(keyId).map((ws) => ws.data.holder.secret)) : []) {
      if (await keyIsValid?.({ keyId, secret })) continue;
      for (const ws of byKey.of(keyId)) {
        if (ws.data.holder.secret === secret) end(ws, closeCodes.unauthorized, 'This API key is not valid any more.');
      }
    }
  }

  const removed = (projectId: string, engineerId: string) => {
    for (const ws of byProject.of(projectId)) {
      if (ws.data.holder.engineerId === engineerId) end(ws, closeCodes.forbidden, 'You are not in this project any more.');
    }
  };

  /** Revocations come by message, and messages get lost. One question at a time: nobody waits for the answers. */
  async function recheck(): Promise<void> {
    for (const keyId of byKey.names()) await keyChanged(keyId);
    for (const projectId of byProject.names()) {
      for (const engineerId of new Set(byProject.of(projectId).map((ws) => ws.data.holder.engineerId))) {
        if ((await membership(engineerId, projectId)) === undefined) removed(projectId, engineerId);
      }
    }
  }
  const timer = setInterval(() => void recheck().catch(understood), recheckMs);
  timer.unref();

  return {
    upgrade,
    handlers,
    keyChanged: (keyId: string) => void keyChanged(keyId).catch(understood),
    removed,
    size: () => byKey.names().reduce((sum, keyId) => sum + byKey.size(keyId), 0),
    /** For shutdown: refuses new sockets and ends all others; clients come back by themselves. */
    closeAll() {
      closing = true;
      clearInterval(timer);
      for (const keyId of byKey.names()) {
        for (const ws of byKey.of(keyId)) end(ws, closeCodes.goingAway, 'The server is shutting down. Connect again.');
      }
    },
  };
}

function read(text: string): SocketClientMessage {
  try {
    const message = SocketClientMessage.safeParse(JSON.parse(text));
    if (message.success) return message.data;
  } catch {
    // Told below, like everything else that is no message.
  }
  throw new AppError('VALIDATION_ERROR', 'Send {"type":"join","projectId":…,"after":…}, {"type":"leave"} or {"type":"heartbeat"} as JSON.');
}

function spendJoin({ joins }: SocketData): void {
  const now = Date.now();
  const seconds = Math.floor((now - joins.at) / 1000);
  if (seconds > 0) Object.assign(joins, { left: Math.min(JOIN_BURST, joins.left + seconds), at: now });
  if (joins.left <= 0) throw new AppError('RATE_LIMITED', 'Too many joins on this socket. Wait a second before the next one.');
  joins.left -= 1;
}
