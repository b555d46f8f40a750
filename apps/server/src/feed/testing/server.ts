import type { ServerWebSocket } from 'bun';
import type { FeedEvent, Role, SocketServerMessage } from '@nexus/contract';
import type { Principal } from '../../platform/actor.ts';
import { AppError } from '../../platform/errors.ts';
import { createFeedSocket, type SocketData } from '../feed.socket.ts';
import { eventsStream, resumeFrom } from '../feed.routes.ts';
import { createTickets } from '../tickets.ts';
import { log, type World } from './world.ts';

export const principal = (name: string): Principal => ({
  engineer: { id: `id-${name}`, name, email: `${name}@example.test`, role: 'engineer' },
  keyId: `key-${name}`,
  secret: 1,
  scopes: ['read'],
  boundTo: null,
});

/** A server with nothing but the feed. The bearer token is the caller's name; `roles` has "<name> <projectId>". */
export function serveFeed({ feed, bus }: World, options: { perKey?: number; perProject?: number; recheckMs?: number } = {}) {
  const roles = new Map<string, Role>();
  const validKeys = new Set(['key-ann', 'key-bob']);
  const tickets = createTickets({ secret: 'test', bus });
  const sockets = createFeedSocket({
    feed,
    tickets,
    log,
    authenticate: (header) => {
      const name = header?.replace('Bearer ', '') ?? '';
      if (!validKeys.has(`key-${name}`)) return Promise.reject(new AppError('INVALID_API_KEY', 'No such key.'));
      return Promise.resolve(principal(name));
    },
    membership: (engineerId, projectId) => Promise.resolve(roles.get(`${engineerId.slice(3)} ${projectId}`)),
    keyIsValid: ({ keyId }) => Promise.resolve(validKeys.has(keyId)),
    limits: { socketsPerKey: options.perKey ?? 100, socketsPerProject: options.perProject ?? 100 },
    allowedOrigins: ['https://app.example.test'],
    recheckMs: options.recheckMs ?? 60_000,
  });
  const server = Bun.serve<SocketData>({
    port: 0,
    hostname: '127.0.0.1',
    websocket: sockets.handlers,
    async fetch(request, self) {
      const url = new URL(request.url);
      if (url.pathname === '/ws') return sockets.upgrade(request, self);
      self.timeout(request, 60);
      const after = resumeFrom(request.headers.get('last-event-id'), url.searchParams.get('after') ?? undefined);
      return eventsStream({ feed, projectId: url.pathname.slice(1), after, signal: request.signal });
    },
  });
  return { roles, validKeys, tickets, sockets, url: `127.0.0.1:${server.port}`, stop: () => server.stop(true) };
}

type Message = SocketServerMessage | FeedEvent;

/** A client that keeps all it hears. */
export function connect(
  url: string,
  { as, headers = {}, protocols }: { as?: string; headers?: Record<string, string>; protocols?: string[] },
) {
  const ws = new WebSocket(`ws://${url}/ws`, {
    headers: { ...(as ? { authorization: `Bearer ${as}` } : {}), ...headers },
    ...(protocols ? { protocols } : {}),
  } as never) as WebSocket & Pick<ServerWebSocket, 'terminate'>;
  const heard: Message[] = [];
  const client = {
    ws,
    heard,
    closed: undefined as number | undefined,
    onMessage: undefined as ((message: Message) => void) | undefined,
    send: (message: unknown) => ws.send(typeof message === 'string' ? message : JSON.stringify(message)),
    of: (type: string) => heard.filter((message) => message.type === type),
  };
  ws.onmessage = ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    heard.push(message);
    client.onMessage?.(message);
  };
  ws.onclose = ({ code }) => (client.closed = code);
  return client;
}
