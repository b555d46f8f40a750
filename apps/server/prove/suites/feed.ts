import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { Client } from '@nexus/client';
import { createTestDatabase, eventually, people, readyFeature, terminal } from '../../test/harness.ts';
import { type Restartable, restartableServer } from '../../test/lib/restartable.ts';
import type { Random } from '../lib/random.ts';
import { createReport, type Suite } from '../lib/suite.ts';
import { type Proxy, startProxy } from '../world/proxy.ts';
import { followByEvents, followBySocket, type Reader } from '../world/readers.ts';

export const feed: Suite = {
  name: 'feed',
  shows:
    'sockets and event streams that are cut and stalled again and again, servers killed, nudges lost: each reader gets each event once, in order',
  needs: 'team',
  async run({ quick, first, random }) {
    const size =
      quick || first ? { readers: 6, events: 400, wide: 60, killMs: 1000 } : { readers: 50, events: 20_000, wide: 400, killMs: 5000 };
    const report = createReport();
    const database = await createTestDatabase();
    const dataDir = mkdtempSync(join(tmpdir(), 'nexus-feed-'));
    const redisUrl = process.env['TEST_REDIS_URL'] ?? '';
    const env = { NEXUS_DATA_DIR: dataDir, DATABASE_URL: database.url, REDIS_URL: redisUrl };
    const servers = [restartableServer(env), restartableServer(env)] as const;
    const readers: Reader[] = [];
    const slow: Proxy[] = [];
    const admin = new Redis(redisUrl);
    const over = { is: false };
    try {
      await Promise.all(servers.map((server) => server.start()));
      const lead = await people(servers[0].anonymous).engineer('Lead');
      const { id: projectId } = await lead.createProject({ body: { name: 'Project', slug: 'project' } });
      const target = { servers: servers.map(({ url }) => url), apiKey: lead.options.apiKey ?? '', projectId };
      for (let number = 0; number < size.readers; number += 1)
        readers.push((number % 2 === 0 ? followBySocket : followByEvents)(target, random, over));
      for (const { url } of servers) slow.push(await startProxy(Number(new URL(url).port)));
      const late = { ...target, servers: slow.map(({ port }) => `http://127.0.0.1:${port}`) };
      for (let number = 0; number < 2; number += 1) readers.push(followBySocket(late, random, { is: true }));

      const troubles = trouble(servers, admin, size.killMs, random, over, () => (report.faults += 1));
      const stalls = stallAndGoOn(slow, over);
      const [head] = await Promise.all([
        writeEvents({ lead, servers, projectId, events: size.events }),
        writeWideEvents(lead, projectId, size.wide),
      ]).then(async () => [Number((await lead.status({ projectId })).cursor.split('.').at(-1))] as const);
      over.is = true;
      await Promise.all([troubles, stalls]);
      await Promise.all(servers.map((server) => server.start()));
      await eventually(`every reader has ${head} events`, () => readers.every(({ seqs }) => seqs.length >= head), 60_000).catch(
        (error: unknown) => report.broken(`${String(error)}; they have ${readers.map(({ seqs }) => seqs.length).join(' ')}`),
      );
      for (const [number, { seqs, resets, cuts }] of readers.entries()) {
        report.operations += seqs.length;
        report.faults += cuts;
        const wrong = seqs.findIndex((seq, position) => seq !== position + 1);
        report.expect(wrong === -1, `reader ${number} got ${seqs[wrong]} as its event ${wrong + 1}`);
        report.expect(resets === 0, `reader ${number} was told ${resets} times to start over`);
      }
      return { ...report, figures: `${head} events to ${readers.length} readers` };
    } finally {
      over.is = true;
      for (const reader of readers) reader.stop();
      await Promise.all([...servers.map((server) => server.kill()), ...slow.map((proxy) => proxy.stop())]);
      admin.disconnect();
      await database.drop();
      rmSync(dataDir, { recursive: true, force: true });
    }
  },
};

/** Four events a round: a pick and a release, each of the feature and of its path. */
async function writeEvents({
  lead,
  servers,
  projectId,
  events,
}: {
  lead: Client;
  servers: readonly Restartable[];
  projectId: string;
  events: number;
}) {
  const writers = 8;
  await Promise.all(
    Array.from({ length: writers }, async (_, number) => {
      const slug = `feature-${number}`;
      await readyFeature(lead, projectId, slug, [`${slug}/`]);
      const { sessionId } = await terminal(lead, projectId);
      const me = lead.with({ session: sessionId, retries: 40 });
      for (let round = 0; (round * 4 + 2) * writers < events; round += 1) {
        const at = me.with({ server: servers[round % servers.length]?.url ?? '' });
        await at.pickFeature({ projectId, slug });
        await at.releaseFeature({ projectId, slug });
      }
    }),
  );
}

/** Events of 40 KB: they fill what the system keeps for a reader that takes nothing, until the server cannot send to it. */
async function writeWideEvents(lead: Client, projectId: string, count: number) {
  const paths = (number: number) => Array.from({ length: 200 }, (_, each) => `${'wide/'.repeat(16)}${number}-${each}.ts`);
  const at = lead.with({ retries: 40 });
  await at.createFeature({ projectId, body: { slug: 'wide', title: 'Wide', spec: '', touches: paths(0) } });
  for (let number = 1; number <= count; number += 1) await at.updateFeature({ projectId, slug: 'wide', body: { touches: paths(number) } });
}

/** Longer without anything passing than with: a reader that falls behind and comes back. */
async function stallAndGoOn(proxies: Proxy[], over: { is: boolean }) {
  while (!over.is) {
    for (const proxy of proxies) proxy.stall(true);
    await Bun.sleep(1500);
    for (const proxy of proxies) proxy.stall(false);
    await Bun.sleep(500);
  }
}

/** Kills one server and then the other, and makes Redis drop whoever waits for nudges. */
async function trouble(
  servers: readonly Restartable[],
  admin: Redis,
  everyMs: number,
  random: Random,
  over: { is: boolean },
  count: () => void,
) {
  for (let turn = 0; !over.is; turn += 1) {
    for (const until = Date.now() + everyMs * (0.5 + random.next()); Date.now() < until && !over.is;) await Bun.sleep(50);
    if (over.is) return;
    count();
    if (turn % 2 === 0) await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    else {
      const server = random.pick(servers);
      await server.kill();
      await server.start();
    }
  }
}
