import { connect, createServer, type Socket } from 'node:net';

/** One statement as it went over the wire, with its parameters in text form. */
export type Statement = { connection: number; sql: string; params: (string | null)[] };

/** Stands between a client and Postgres and writes down what is executed. */
export async function startTap(target: string): Promise<{ url: string; take: () => Statement[]; stop: () => void }> {
  const { hostname, port } = new URL(target);
  let seen: Statement[] = [];
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const connection = (connections += 1);
    const read = createReader((statement) => seen.push({ connection, ...statement }));
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy());
    }
    client.on('data', (chunk) => {
      read(chunk);
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => client.write(chunk));
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('The tap has no port.');
  const url = new URL(target);
  url.host = `127.0.0.1:${address.port}`;
  return {
    url: url.href,
    take: () => {
      const taken = seen;
      seen = [];
      return taken;
    },
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** The frontend's half of the protocol: Query, Parse, Bind. All else passes unread. */
function createReader(onStatement: (statement: Omit<Statement, 'connection'>) => void) {
  let waiting = Buffer.alloc(0);
  let greeted = false;
  const prepared = new Map<string, string>();
  const messages: Record<string, (body: Buffer) => void> = {
    Q: (body) => onStatement({ sql: text(body, 0).value, params: [] }),
    P: (body) => {
      const name = text(body, 0);
      prepared.set(name.value, text(body, name.end).value);
    },
    B: (body) => {
      const portal = text(body, 0);
      const name = text(body, portal.end);
      let at = name.end + 2 + 2 * body.readInt16BE(name.end);
      const count = body.readInt16BE(at);
      at += 2;
      const params = Array.from({ length: count }, () => {
        const length = body.readInt32BE(at);
        at += 4 + Math.max(0, length);
        return length < 0 ? null : body.toString('utf8', at - length, at);
      });
      onStatement({ sql: prepared.get(name.value) ?? '', params });
    },
  };
  return (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk]);
    for (;;) {
      const head = greeted ? 1 : 0;
      if (waiting.length < head + 4) return;
      const end = head + waiting.readInt32BE(head);
      if (waiting.length < end) return;
      if (greeted) messages[waiting.toString('latin1', 0, 1)]?.(waiting.subarray(5, end));
      // The startup message and a request for TLS have no type byte; protocol 3.0 ends the greeting.
      else greeted = waiting.readInt32BE(4) === 196_608;
      waiting = waiting.subarray(end);
    }
  };
}

function text(body: Buffer, from: number): { value: string; end: number } {
  const end = body.indexOf(0, from);
  return { value: body.toString('utf8', from, end), end: end + 1 };
}
