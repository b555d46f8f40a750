import type { Random } from '../lib/random.ts';

type Target = { servers: string[]; apiKey: string; projectId: string };
export type Reader = { seqs: number[]; resets: number; cuts: number; stop: () => void };

/** Cut after up to two seconds, as long as it is not `over`. */
const cutAfter = (random: Random, over: { is: boolean }, cut: () => void) => setTimeout(() => !over.is && cut(), random.below(2000));

/** A socket that connects anew with its last cursor whenever it was cut; it notes each event it is given. */
export function followBySocket({ servers, apiKey, projectId }: Target, random: Random, over: { is: boolean }): Reader {
  const reader = { seqs: [] as number[], resets: 0, cuts: 0, stop: () => undefined as void };
  let cursor = '0';
  let stopped = false;
  const connect = () => {
    const headers = { authorization: `Bearer ${apiKey}` };
    const socket = new WebSocket(`${random.pick(servers).replace('http', 'ws')}/ws`, { headers } as never) as WebSocket & {
      terminate: () => void;
    };
    const timer = cutAfter(random, over, () => {
      reader.cuts += 1;
      socket.terminate();
    });
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(String(data)) as { type: string; seq?: number; epoch?: string; cursor?: string };
      if (message.type === 'connected') socket.send(JSON.stringify({ type: 'join', projectId, after: cursor }));
      if (message.type === 'reset') reader.resets += 1;
      if (message.seq === undefined) return;
      reader.seqs.push(message.seq);
      cursor = `${message.epoch}.${message.seq}`;
    };
    socket.onclose = () => {
      clearTimeout(timer);
      if (!stopped) setTimeout(connect, 50);
    };
    reader.stop = () => {
      stopped = true;
      socket.terminate();
    };
  };
  connect();
  return reader;
}

/** The same by server-sent events. */
export function followByEvents({ servers, apiKey, projectId }: Target, random: Random, over: { is: boolean }): Reader {
  const reader = { seqs: [] as number[], resets: 0, cuts: 0, stop: () => undefined as void };
  let lastId: string | undefined;
  let stopped = false;
  async function once() {
    const cut = new AbortController();
    reader.stop = () => {
      stopped = true;
      cut.abort();
    };
    const timer = cutAfter(random, over, () => {
      reader.cuts += 1;
      cut.abort();
    });
    try {
      const answer = await fetch(`${random.pick(servers)}/api/projects/${projectId}/events?after=0`, {
        headers: { authorization: `Bearer ${apiKey}`, accept: 'text/event-stream', ...(lastId && { 'last-event-id': lastId }) },
        signal: cut.signal,
      });
      let rest = '';
      for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        const blocks = (rest + chunk).split('\n\n');
        rest = blocks.pop() ?? '';
        for (const block of blocks) {
          if (/^event: reset$/m.test(block)) reader.resets += 1;
          const id = /^id: (.*)$/m.exec(block)?.[1];
          if (id === undefined) continue;
          reader.seqs.push(Number(id.split('.')[1]));
          lastId = id;
        }
      }
    } finally {
      clearTimeout(timer);
    }
  }
  void (async () => {
    while (!stopped) {
      await once().catch(() => undefined);
      await Bun.sleep(50);
    }
  })();
  return reader;
}
