import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client } from '@nexus/client';
import { people } from '../../test/harness.ts';
import { privatePostgres } from '../../test/lib/private-postgres.ts';
import { type Restartable, restartableServer } from '../../test/lib/restartable.ts';
import { overlappingFeatures } from '../../test/lib/workload.ts';
import type { Line } from '../checker/log.ts';
import type { Orders } from './agents.ts';
import { startProxy } from './proxy.ts';
import { startRedises } from './redis.ts';

export const TTL = 3;
export const GRACE = 1;
const program = fileURLToPath(new URL('./agents.ts', import.meta.url));

export type World = Awaited<ReturnType<typeof startWorld>>;
export type AgentProcess = { child: Bun.Subprocess<'pipe', 'ignore', 'inherit'>; log: string };

/** Servers on a Postgres and a Redis of their own, and agents in processes of their own; a proxy on every way between them. */
export async function startWorld({ servers: count, processes, agents }: { servers: number; processes: number; agents: number }) {
  const folder = mkdtempSync(join(tmpdir(), 'nexus-chaos-'));
  const [pg, redis] = await Promise.all([privatePostgres(), startRedises()]);
  const toPostgres = await startProxy(Number(new URL(pg.url).port));
  const database = new URL(pg.url);
  database.port = String(toPostgres.port);
  const env = {
    NEXUS_DATA_DIR: folder,
    DATABASE_URL: database.href,
    REDIS_URL: redis.url,
    LEASE_TTL_SECONDS: String(TTL),
    GRACE_SECONDS: String(GRACE),
  };
  const servers: Restartable[] = Array.from({ length: count }, () => restartableServer(env));
  await Promise.all(servers.map((server) => server.start()));
  const toServers = await Promise.all(servers.map(({ url }) => startProxy(Number(new URL(url).port))));
  const lead: Client = await people((servers[0] as Restartable).anonymous).engineer('Lead');
  const { id: projectId } = await lead.createProject({ body: { name: 'Chaos', slug: 'chaos' } });
  const features = 16;
  await overlappingFeatures(lead, projectId, features);

  const crew: AgentProcess[] = [];
  let hired = 0;
  function hire(): AgentProcess {
    hired += 1;
    const orders: Orders = {
      servers: toServers.map(({ port }) => `http://127.0.0.1:${port}`),
      apiKey: lead.options.apiKey ?? '',
      projectId,
      agents,
      slugs: Array.from({ length: features }, (_, number) => `feature-${number}`),
      locks: Array.from({ length: 6 }, (_, number) => `locks/${number}.ts`),
      ttlMs: TTL * 1000,
      log: join(folder, `agents-${hired}.jsonl`),
    };
    const child = Bun.spawn([process.execPath, program, JSON.stringify(orders)], { stdin: 'pipe', stdout: 'ignore', stderr: 'inherit' });
    const process_ = { child, log: orders.log };
    crew.push(process_);
    return process_;
  }
  for (let each = 0; each < processes; each += 1) hire();

  return {
    pg,
    redis,
    toPostgres,
    toServers,
    servers,
    lead,
    projectId,
    hire,
    crew,
    /** Those at work: the dead stay in `crew` for their logs. */
    working: () => crew.filter(({ child }) => child.exitCode === null && child.signalCode === null),
    lines: (): Line[] =>
      crew.flatMap(({ log }) =>
        existsSync(log)
          ? readFileSync(log, 'utf8')
              .split('\n')
              .flatMap((line) => (line.endsWith('}') ? [JSON.parse(line) as Line] : []))
          : [],
      ),
    output: () => servers.map((server) => server.output()).join('\n'),
    /** `keep`: what was written and said stays in the folder that is answered. */
    async end({ keep }: { keep: boolean }): Promise<string | undefined> {
      for (const { child } of crew) child.kill('SIGKILL');
      await Promise.all(servers.map((server) => server.kill()));
      await Promise.all([toPostgres, ...toServers].map((proxy) => proxy.stop()));
      await Promise.all([pg.remove(), redis.remove()]);
      if (!keep) rmSync(folder, { recursive: true, force: true });
      else for (const [number, server] of servers.entries()) writeFileSync(join(folder, `server-${number}.log`), server.output());
      return keep ? folder : undefined;
    },
  };
}
