import type WebSocket from 'ws';

export type SocketFactory = new (url: string, options: { headers: Record<string, string> }) => WebSocket;
type Closed = { code: number; reason: string };

/** Stands for a close code when the reader gave the connection up: what it got was out of order. */
export const droppedByReader = 4900;

/** Takes each message in turn; false ends the connection, which is then made again. */
export type FeedReader = (text: string) => Promise<boolean>;

export type FeedSocket = {
  send: (text: string) => void;
  /** When the last message or ping came, in `Date.now()` milliseconds. */
  lastTraffic: () => number;
  /** Gives the connection up without waiting for the other side. */
  drop: (reason: string) => void;
  /** Feeds `reader` until the connection ends; throws what the reader throws. */
  run: (reader: FeedReader) => Promise<Closed>;
};

type OpenNeeds = { url: string; headers: Record<string, string>; signal: AbortSignal; WebSocketImpl?: SocketFactory | undefined };

/** Resolves once open; throws when the upgrade is refused or nobody answers. Messages that come before `run` are kept. */
export async function openSocket({ url, headers, signal, WebSocketImpl }: OpenNeeds): Promise<FeedSocket> {
  const Socket = WebSocketImpl ?? ((await import('ws')).default as unknown as SocketFactory);
  const socket = new Socket(url, { headers });
  let lastTraffic = Date.now();
  const waiting: string[] = [];
  let deliver = (text: string): void => void waiting.push(text);
  let ended = (_closed: Closed): void => {};
  const closed = new Promise<Closed>((resolve) => {
    ended = resolve;
  });
  const drop = (reason: string): void => {
    ended({ code: 1006, reason });
    socket.terminate();
  };
  const onAbort = (): void => drop('stopped');
  signal.addEventListener('abort', onAbort, { once: true });
  void closed.then(() => signal.removeEventListener('abort', onAbort));

  socket.on('message', (data: WebSocket.RawData) => {
    lastTraffic = Date.now();
    deliver(textOf(data));
  });
  socket.on('ping', () => {
    lastTraffic = Date.now();
  });
  socket.on('close', (code: number, reason: Buffer) => ended({ code, reason: String(reason) }));

  await new Promise<void>((resolve, reject) => {
    socket.on('open', () => resolve());
    socket.on('error', (error: Error) => {
      ended({ code: 1006, reason: error.message });
      reject(error);
    });
    void closed.then(({ reason }) => reject(new Error(reason || 'The server closed the connection.')));
    if (signal.aborted) onAbort();
  });

  return {
    send: (text) => {
      if (socket.readyState === socket.OPEN) socket.send(text);
    },
    lastTraffic: () => lastTraffic,
    drop,
    run: async (reader) => {
      let chain = Promise.resolve();
      let stopped = false;
      const failure = new Promise<never>((_, reject) => {
        deliver = (text) => {
          chain = chain.then(async () => {
            if (stopped || signal.aborted) return;
            stopped = !(await reader(text));
            if (!stopped) return;
            ended({ code: droppedByReader, reason: 'resuming after a gap' });
            socket.terminate();
          });
          chain.catch(reject);
        };
      });
      for (const text of waiting.splice(0)) deliver(text);
      try {
        const end = await Promise.race([closed, failure]);
        await Promise.race([chain, failure]);
        return end;
      } finally {
        stopped = true;
        socket.terminate();
        ended({ code: 1000, reason: '' });
      }
    },
  };
}

const textOf = (data: unknown): string => (typeof data === 'string' ? data : Buffer.from(data as ArrayBuffer).toString('utf8'));
