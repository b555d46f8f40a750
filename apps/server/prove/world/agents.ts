import { appendFileSync } from 'node:fs';
import { type Client, createClient, NexusError } from '@nexus/client';
import type { Called, Line } from '../checker/log.ts';

/** A process of agents that work over HTTP as any client does, and write down what they ask and hear. */
export type Orders = {
  servers: string[];
  apiKey: string;
  projectId: string;
  agents: number;
  slugs: string[];
  locks: string[];
  ttlMs: number;
  log: string;
};

const orders = JSON.parse(process.argv[2] ?? '{}') as Orders;
const { projectId, ttlMs } = orders;
const clients = orders.servers.map((server) => createClient({ server, apiKey: orders.apiKey, retries: 0, timeout: 2000 }));
const write = (line: Line) => appendFileSync(orders.log, `${JSON.stringify(line)}\n`);
const now = () => performance.timeOrigin + performance.now();
const any = <T>(all: T[]): T => all[Math.floor(Math.random() * all.length)] as T;
const pause = (ms: number) => Bun.sleep(ms * (0.5 + Math.random()));
let stopping = false;

/** At one server after another until one answers; undefined when none may any more. */
async function insist<T>(call: (client: Client) => Promise<T>, unheard: () => void = () => undefined): Promise<T | NexusError | undefined> {
  while (!stopping) {
    try {
      return await call(any(clients));
    } catch (error) {
      if (error instanceof NexusError && error.status === 500)
        write({ bug: `${error.code}: ${error.message} (request ${error.requestId})` });
      if (error instanceof NexusError && error.status < 500 && error.code !== 'REQUEST_IN_PROGRESS') return error;
      unheard();
      await pause(80);
    }
  }
  return undefined;
}

async function live(): Promise<void> {
  const body = { agent: 'chaos', agentSessionId: crypto.randomUUID(), keeper: true };
  // Its lease may begin with the asking, and this process may be stopped before it hears so.
  let asked = now();
  const opened = await insist((client) => {
    asked = now();
    return client.openSession({ projectId, body });
  });
  if (!opened || opened instanceof NexusError) return;
  const session = opened.id;
  const life = { over: false, lost: false, greatestGap: 0, lastTry: asked };
  /** An attempt was not answered: it may take place at any time. */
  let unheard = false;

  /** In turn at each server until one answers: a client that has them all. Answers what it holds, as far as it was told. */
  async function beat(): Promise<Array<{ featureSlug: string | null; fence: number }>> {
    life.greatestGap = Math.max(life.greatestGap, now() - life.lastTry);
    life.lastTry = now();
    const from = Math.floor(Math.random() * clients.length);
    for (let turn = 0; turn < clients.length; turn += 1) {
      const client = clients[(from + turn) % clients.length]?.with({ timeout: 500 });
      try {
        return (await client?.heartbeat({ projectId, sessionId: session }))?.holds ?? [];
      } catch (error) {
        if (error instanceof NexusError && error.status === 500) write({ bug: `heartbeat: ${error.message}` });
        if (error instanceof NexusError && error.code === 'SESSION_LOST') {
          ended();
          break;
        }
      }
    }
    return [];
  }
  function ended() {
    life.greatestGap = Math.max(life.greatestGap, now() - life.lastTry);
    life.over = life.lost = true;
  }
  const beats = (async () => {
    while (!life.over) {
      await beat();
      await Bun.sleep(ttlMs / 6);
    }
  })();

  async function say(call: Pick<Called, 'verb' | 'on' | 'fence' | 'mode'>, ask: (client: Client, key: string) => Promise<object>) {
    const id = crypto.randomUUID();
    write({ call: { ...call, id, session, at: now() } });
    let unsure = false;
    const heard = await insist(
      (client) => ask(client.with({ session }), id),
      () => (unsure = unheard = true),
    );
    if (heard === undefined) return undefined;
    const refusal = heard instanceof NexusError ? heard : undefined;
    const { slug, fence } = (refusal ? {} : heard) as { slug?: string; fence?: number | null };
    write({
      answer: {
        id,
        at: now(),
        ok: !refusal,
        unsure,
        fence: fence ?? null,
        ...(slug && { on: slug }),
        ...(refusal && { code: refusal.code }),
      },
    });
    if (refusal?.code === 'SESSION_LOST') ended();
    return refusal ? undefined : { slug: slug ?? '', fence: fence ?? null };
  }

  /** Between its turns it holds no feature that it knows of. */
  async function giveBack() {
    for (const { featureSlug: on, fence } of await beat())
      if (on !== null) {
        await say({ verb: 'release', on, fence }, (client, idempotencyKey) =>
          client.releaseFeature({ projectId, slug: on, body: { fence } }, { idempotencyKey }),
        );
      }
  }

  while (!stopping && !life.over) {
    if (unheard) await giveBack();
    if (Math.random() < 0.35) {
      const [path, mode] = [any(orders.locks), Math.random() < 0.5 ? ('read' as const) : ('write' as const)];
      const paths = [{ path, mode }];
      const locked = await say({ verb: 'lock', on: path, mode, fence: null }, (client, idempotencyKey) =>
        client.claim({ projectId, body: { paths } }, { idempotencyKey }),
      );
      if (!locked) continue;
      await pause(60);
      // With its fence: an attempt that is heard only after the next lock must not take that one back.
      const fence = locked.fence ?? undefined;
      await say({ verb: 'unlock', on: path, fence: locked.fence }, (client) =>
        client.releaseClaims({ projectId, body: { paths: [path], fence } }),
      );
      continue;
    }
    const slug = Math.random() < 0.4 ? null : any(orders.slugs);
    const picked = await say({ verb: 'pick', on: slug, fence: null }, (client, idempotencyKey) =>
      slug === null
        ? client.pickNext({ projectId, body: { lane: 'now' } }, { idempotencyKey })
        : client.pickFeature({ projectId, slug }, { idempotencyKey }),
    );
    await pause(60);
    if (!picked) continue;
    const fence = picked.fence ?? undefined;
    for (let more = 0; more < 3 && Math.random() < 0.6; more += 1) {
      const paths = [`extra/${Math.floor(Math.random() * 12)}.ts`];
      await say({ verb: 'extend', on: picked.slug, fence: picked.fence }, (client, idempotencyKey) =>
        client.claim({ projectId, body: { paths, fence } }, { idempotencyKey }),
      );
      await pause(30);
    }
    await say({ verb: 'release', on: picked.slug, fence: picked.fence }, (client, idempotencyKey) =>
      client.releaseFeature({ projectId, slug: picked.slug, body: { fence } }, { idempotencyKey }),
    );
  }
  life.over = true;
  await beats;
  write({ life: { session, lost: life.lost, greatestGap: life.greatestGap, stopped: stopping } });
}

const working = Promise.all(
  Array.from({ length: orders.agents }, async () => {
    while (!stopping) {
      await live();
      await pause(100);
    }
  }),
);
for await (const _ of process.stdin) break;
stopping = true;
await working;
process.exit(0);
