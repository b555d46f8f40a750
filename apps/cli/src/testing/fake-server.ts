import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Call = { method: string; path: string; session: string | undefined; key: string | undefined; body: unknown; at: number };
export type Answer = { status: number; body: unknown };
type Answerer = (call: Call) => Answer | undefined;

export type FakeServer = {
  url: string;
  calls: Call[];
  /** The calls whose `METHOD /path` matches. */
  to: (pattern: RegExp) => Call[];
  /** Answers from now on; undefined cuts the connection, as a server that is away would. */
  answer: (answerer: Answerer) => void;
  close: () => Promise<void>;
};

export const data = (value: unknown, status = 200): Answer => ({ status, body: { data: value } });
export const refusal = (status: number, code: string, details?: unknown): Answer => ({
  status,
  body: { error: { code, message: `${code}.`, details, requestId: 'r' } },
});

/** Records what is asked over real HTTP. */
export async function startFakeServer(answerer: Answerer): Promise<FakeServer> {
  const calls: Call[] = [];
  const current = { answerer };
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const path = (request.url ?? '').replace(/^\/api/, '');
      const session = request.headers['x-nexus-session'];
      const call: Call = {
        method: request.method ?? '',
        path,
        session: session?.toString(),
        key: request.headers.authorization,
        body,
        at: Date.now(),
      };
      calls.push(call);
      const answer = current.answerer(call);
      if (answer === undefined) return void request.socket.destroy();
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    to: (pattern) => calls.filter(({ method, path }) => pattern.test(`${method} ${path}`)),
    answer: (next) => {
      current.answerer = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array));
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? undefined : JSON.parse(text);
}

export async function until(condition: () => boolean, what: string, ms = 8000): Promise<void> {
  for (const deadline = Date.now() + ms; !condition();) {
    if (Date.now() > deadline) throw new Error(`Waited ${ms} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
