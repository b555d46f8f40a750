import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import type { FeedEvent } from '@nexus/contract';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { NexusError } from './client.ts';
import { followFeed, type FollowFeedOptions } from './feed.ts';

const epoch = '00000000-0000-7000-8000-00000000000e';
const event = (seq: number, of = epoch): FeedEvent => ({
  type: 'files_claimed',
  seq,
  epoch: of,
  at: '2026-01-01T00:00:00Z',
  feature: null,
  engineer: null,
  actor: { engineer: null, session: null, agent: null },
  correlationId: null,
  data: {},
});

type Joined = { after: string | undefined; key: string | undefined; send: (message: unknown) => void; socket: WebSocket };
let http: Server;
let sockets: WebSocketServer;
let url: string;
let joins: Joined[];
let onJoin: (join: Joined) => void;
let refuse: number | undefined;

beforeEach(async () => {
  joins = [];
  refuse = undefined;
  onJoin = () => {};
  sockets = new WebSocketServer({ noServer: true });
  http = createServer((_request, response) => {
    response.writeHead(refuse ?? 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(refuse ? { error: { code: 'INVALID_API_KEY', message: 'No.', requestId: 'r' } } : { data: {} }));
  });
  http.on('upgrade', (request, socket, head) => {
    if (refuse !== undefined) return void socket.end(`HTTP/1.1 ${refuse} No\r\ncontent-length: 0\r\n\r\n`);
    sockets.handleUpgrade(request, socket, head, (ws) => {
      ws.on('message', (raw: Buffer) => {
        const message = JSON.parse(String(raw)) as { type: string; after?: string };
        if (message.type !== 'join') return;
        const join: Joined = {
          after: message.after,
          key: request.headers.authorization,
          send: (text) => ws.send(JSON.stringify(text)),
          socket: ws,
        };
        joins.push(join);
        join.send({ type: 'joined', sessionId: null, projectId: 'p', cursor: message.after ?? `${epoch}.0` });
        onJoin(join);
      });
      ws.send(JSON.stringify({ type: 'connected', connectionId: 'c' }));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});
afterEach(() => {
  for (const socket of sockets.clients) socket.terminate();
  http.closeAllConnections();
  http.close();
});

/** Follows until `count` events came; answers what came. */
async function follow(count: number, options: Partial<FollowFeedOptions> = {}): Promise<{ seqs: number[]; cursors: string[] }> {
  const stop = new AbortController();
  const got = { seqs: [] as number[], cursors: [] as string[] };
  await followFeed({
    server: url,
    apiKey: 'k',
    projectId: 'p',
    signal: stop.signal,
    ...options,
    onEvent: async (one, cursor) => {
      await options.onEvent?.(one, cursor);
      got.seqs.push(one.seq);
      got.cursors.push(cursor);
      if (got.seqs.length >= count) stop.abort();
    },
  });
  return got;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const seqOf = (after: string | undefined): number => Number(after?.split('.')[1] ?? 0);

describe('following a feed', () => {
  test('brings each event once and in order, whatever is sent twice', async () => {
    onJoin = ({ send }) => {
      for (const seq of [1, 1, 2, 1, 3, 3, 4]) send(event(seq));
    };
    const { seqs, cursors } = await follow(4);
    expect(seqs).toEqual([1, 2, 3, 4]);
    expect(cursors.at(-1)).toBe(`${epoch}.4`);
    expect(joins.map(({ after, key }) => [after, key])).toEqual([[undefined, 'Bearer k']]);
  });

  test('goes on after the last event through 40 cuts', async () => {
    let cuts = 0;
    onJoin = ({ after, send, socket }) => {
      const from = seqOf(after);
      const to = cuts < 40 ? from + 1 + (cuts % 7) : 300;
      for (const seq of range(from + 1, to)) send(event(seq));
      cuts += 1;
      if (cuts <= 40) setTimeout(() => socket.terminate(), 2);
    };
    expect((await follow(300)).seqs).toEqual(range(1, 300));
    expect(cuts).toBeGreaterThan(20);
  }, 30_000);

  test('waits for each event to be handled before the next', async () => {
    onJoin = ({ send }) => {
      for (const seq of range(1, 5)) send(event(seq));
    };
    let running = 0;
    let most = 0;
    const onEvent = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
    };
    expect((await follow(5, { onEvent })).seqs).toEqual(range(1, 5));
    expect(most).toBe(1);
  });

  test('joins anew after a gap, and nothing is missed', async () => {
    onJoin = ({ after, send }) => {
      if (joins.length === 1) for (const seq of [1, 2, 4, 5]) send(event(seq));
      else for (const seq of range(seqOf(after) + 1, 5)) send(event(seq));
    };
    expect((await follow(5)).seqs).toEqual(range(1, 5));
    expect(joins.map(({ after }) => after)).toEqual([undefined, `${epoch}.2`]);
  });

  test('tells of a reset and goes on from there', async () => {
    const other = epoch.replace(/e$/, 'f');
    const resets: string[] = [];
    onJoin = ({ send }) => {
      send({ type: 'reset', projectId: 'p', cursor: `${other}.7` });
      send(event(8, other));
    };
    const { seqs } = await follow(1, { after: `${epoch}.99`, onReset: (cursor) => void resets.push(cursor) });
    expect({ seqs, resets }).toEqual({ seqs: [8], resets: [`${other}.7`] });
  });

  test('from the start takes what is kept, whatever the first number', async () => {
    onJoin = ({ send }) => [5, 6].forEach((seq) => send(event(seq)));
    expect((await follow(2, { after: '0' })).seqs).toEqual([5, 6]);
  });

  test('gives up a peer that is silent', async () => {
    onJoin = ({ send }) => {
      if (joins.length > 1) send(event(1));
    };
    expect((await follow(1, { timing: { heartbeatMs: 50, silenceMs: 200 } })).seqs).toEqual([1]);
    expect(joins.length).toBeGreaterThan(1);
  });

  test('waits out a server that is away or says that it cannot now', async () => {
    const states: string[] = [];
    onJoin = ({ send }) => (joins.length === 1 ? send({ type: 'error', code: 'SERVICE_UNAVAILABLE', message: 'Later.' }) : send(event(1)));
    refuse = 503;
    setTimeout(() => (refuse = undefined), 300);
    expect((await follow(1, { onState: (state) => void states.push(state) })).seqs).toEqual([1]);
    expect(states[0]).toBe('connecting');
    expect(states.filter((state) => state === 'waiting').length).toBeGreaterThan(1);
    expect(states.at(-1)).toBe('live');
  });

  for (const [name, arrange, status] of [
    ['a refused key', () => void (refuse = 401), 401],
    ['a key that is revoked meanwhile', () => void (onJoin = ({ socket }) => socket.close(4401, 'Revoked.')), 401],
    ['a project that is closed to us', () => void (onJoin = ({ socket }) => socket.close(4403, 'Removed.')), 403],
    [
      'an unknown project',
      () => void (onJoin = ({ send }) => send({ type: 'error', code: 'NOT_FOUND', message: 'No such project.' })),
      404,
    ],
  ] as const) {
    test(`ends with an error for ${name}`, async () => {
      arrange();
      const error: unknown = await follow(1).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(NexusError);
      expect((error as NexusError).status).toBe(status);
    });
  }

  test('ends with what the handler throws', async () => {
    onJoin = ({ send }) => send(event(1));
    const failing = follow(1, { onEvent: () => Promise.reject(new Error('disk full')) });
    expect(failing).rejects.toThrow('disk full');
    await failing.catch(() => {});
  });

  test('returns when it is stopped, also while it waits', async () => {
    refuse = 503;
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 200);
    await follow(1, { signal: stop.signal });
  });
});
