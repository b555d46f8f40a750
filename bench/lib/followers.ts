/**
 * Many readers of many feeds, in a process of their own: `bun bench/lib/followers.ts < job.json`. Says `ready` when all have
 * joined, and for each further line of its input prints a `FollowersResult` of the time since the one before.
 */
export type FollowersJob = { url: string; projects: Array<{ projectId: string; apiKey: string }>; each: number };
export type FollowersResult = {
  received: number;
  /** Events that some reader did not get, or not in their order. */
  missed: number;
  /** From the commit's transaction to the reader, in milliseconds. */
  p50: number;
  p99: number;
  max: number;
};

type Message = { type: string; seq?: number; at?: string };

async function run(lines: AsyncIterator<string>) {
  const job = JSON.parse((await lines.next()).value as string) as FollowersJob;
  let delays: number[] = [];
  let result = { received: 0, missed: 0 };
  const followers = job.projects.flatMap((project) => Array.from({ length: job.each }, () => project));

  const follow = ({ projectId, apiKey }: FollowersJob['projects'][number]) =>
    new Promise<void>((resolve, reject) => {
      const headers = { authorization: `Bearer ${apiKey}` };
      const socket = new WebSocket(`${job.url.replace('http', 'ws')}/ws`, { headers } as never);
      let last: number | undefined;
      socket.onmessage = ({ data }) => {
        const now = Date.now();
        const message = JSON.parse(String(data)) as Message;
        if (message.type === 'connected') socket.send(JSON.stringify({ type: 'join', projectId }));
        if (message.type === 'joined') resolve();
        if (message.type === 'error') reject(new Error(String(data)));
        if (message.seq === undefined) return;
        result.received += 1;
        if (last !== undefined) result.missed += Math.abs(message.seq - last - 1);
        last = message.seq;
        delays.push(now - Date.parse(message.at ?? ''));
      };
      socket.onclose = ({ code, reason }) => reject(new Error(`A reader was closed with ${code} ${reason}`));
    });

  // A few at a time, as people come: a server takes only so many new ones at once.
  for (let from = 0; from < followers.length; from += 50) await Promise.all(followers.slice(from, from + 50).map(follow));
  console.log('ready');
  while (!(await lines.next()).done) {
    delays.sort((a, b) => a - b);
    const at = (share: number) => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] ?? NaN;
    console.log(JSON.stringify({ ...result, p50: at(0.5), p99: at(0.99), max: at(1) } satisfies FollowersResult));
    delays = [];
    result = { received: 0, missed: 0 };
  }
}

if (import.meta.main) {
  await run(console[Symbol.asyncIterator]());
  process.exit();
}
