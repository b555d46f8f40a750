/**
 * Load in a process of its own: `bun bench/lib/load.ts < job.json`. Each connection sends its requests in turn, the next
 * one when the answer is there, over one kept connection. Prints a `LoadResult` as JSON.
 */
export type LoadRequest = {
  kind: string;
  method: string;
  path: string;
  /** `{uuid}` in a header becomes a fresh one for each request. */
  headers: Record<string, string>;
  body?: string;
};
export type LoadJob = {
  url: string;
  connections: LoadRequest[][];
  warmSeconds: number;
  seconds: number;
  /** Over all connections; without it each sends as soon as it has its answer. */
  perSecond?: number;
};
export type LoadResult = {
  perSecond: number;
  /** Answers by status that were not 2xx, with one body as a sample. */
  failed: Record<string, number>;
  sample?: string;
  kinds: Record<string, { count: number; p50: number; p99: number; max: number }>;
};

type Prepared = { kind: string; before: string; after: string };

function prepare(request: LoadRequest, host: string): Prepared {
  const headers = { host, ...request.headers, ...(request.body === undefined ? {} : { 'content-type': 'application/json' }) };
  const length = request.body === undefined ? 0 : Buffer.byteLength(request.body);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = `${request.method} ${request.path} HTTP/1.1\r\n${lines.join('')}content-length: ${length}\r\n\r\n${request.body ?? ''}`;
  const [before = '', after = ''] = text.split('{uuid}');
  return { kind: request.kind, before, after: text.includes('{uuid}') ? after : '' };
}

const render = ({ before, after }: Prepared) => (after === '' ? before : before + crypto.randomUUID() + after);

/** The whole answer's length in bytes, or undefined while it is not there. */
function answerLength(text: string): number | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) return text.length >= end + 4 + Number(length) ? end + 4 + Number(length) : undefined;
  const last = text.indexOf('0\r\n\r\n', end + 4);
  return last < 0 ? undefined : last + 5;
}

async function run({ url, connections, warmSeconds, seconds, perSecond }: LoadJob): Promise<LoadResult> {
  const { hostname, port, host } = new URL(url);
  const started = performance.now();
  const [from, until] = [started + warmSeconds * 1000, started + (warmSeconds + seconds) * 1000];
  const times = new Map<string, number[]>();
  const result: LoadResult = { perSecond: 0, failed: {}, kinds: {} };
  let counted = 0;
  const interval = perSecond === undefined ? 0 : (1000 * connections.length) / perSecond;

  const drive = (requests: LoadRequest[], position: number) =>
    new Promise<void>((resolve, reject) => {
      let due = started + (interval * position) / connections.length;
      const ready = requests.map((request) => prepare(request, host));
      let next = 0;
      let sent = 0;
      let kind = '';
      let text = '';
      const send = (socket: { write: (data: string) => number }) => {
        const request = ready[next];
        if (request === undefined) throw new Error('A connection needs a request.');
        next = (next + 1) % ready.length;
        kind = request.kind;
        sent = performance.now();
        socket.write(render(request));
      };
      const paced = (socket: { write: (data: string) => number }) => {
        due = Math.max(due + interval, performance.now());
        if (interval === 0) send(socket);
        else setTimeout(() => send(socket), Math.max(0, due - performance.now()));
      };
      void Bun.connect({
        hostname,
        port: Number(port),
        socket: {
          open: paced,
          data(socket, chunk) {
            text += chunk.toString('latin1');
            const length = answerLength(text);
            if (length === undefined) return;
            const now = performance.now();
            const status = text.slice(9, 12);
            if (!status.startsWith('2')) {
              result.failed[status] = (result.failed[status] ?? 0) + 1;
              result.sample ??= text.slice(0, 1500);
            } else if (sent >= from && now <= until) {
              counted += 1;
              let list = times.get(kind);
              if (!list) times.set(kind, (list = []));
              list.push(now - sent);
            }
            text = text.slice(length);
            // Ends after a whole round, so that the next load finds everything as this one did.
            if (now > until && next === 0) {
              socket.end();
              resolve();
            } else paced(socket);
          },
          close: () => resolve(),
          error: (_socket, error) => reject(error),
        },
      }).catch(reject);
    });

  await Promise.all(connections.map(drive));
  result.perSecond = counted / seconds;
  for (const [kind, list] of times) {
    list.sort((a, b) => a - b);
    const at = (share: number) => list[Math.min(list.length - 1, Math.floor(list.length * share))] ?? 0;
    result.kinds[kind] = { count: list.length, p50: at(0.5), p99: at(0.99), max: at(1) };
  }
  return result;
}

if (import.meta.main) console.log(JSON.stringify(await run((await Bun.stdin.json()) as LoadJob)));
