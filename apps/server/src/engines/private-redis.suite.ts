import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

export const hasRedisServer = Bun.which('redis-server') !== null;

/** A Redis of a test's own, to be flushed, stopped and started again at the same address. Not running until `start`. */
export async function privateRedis() {
  const dir = await mkdtemp(join(tmpdir(), 'nexus-redis-'));
  const port = freePort();
  const url = `redis://127.0.0.1:${port}`;
  let server: Bun.Subprocess | undefined;

  async function kill() {
    server?.kill('SIGKILL');
    await server?.exited;
    server = undefined;
  }

  return {
    url,
    kill,

    /** Resolves when it answers. `settings` are flags of redis-server; the data of the last SAVE are loaded unless `empty`. */
    async start({ settings = [], empty = false }: { settings?: string[]; empty?: boolean } = {}) {
      if (empty) await rm(join(dir, 'dump.rdb'), { force: true });
      const flags = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--loglevel', 'warning', ...settings];
      server = Bun.spawn(['redis-server', ...flags], { stdout: 'ignore', stderr: 'ignore' });
      await this.admin((redis) => redis.ping());
    },

    async admin<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
      const redis = new Redis(url, { retryStrategy: () => 20 });
      redis.on('error', () => {});
      return await work(redis).finally(() => redis.disconnect());
    },

    pause: () => server?.kill('SIGSTOP'),
    resume: () => server?.kill('SIGCONT'),

    async remove() {
      await kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export type PrivateRedis = Awaited<ReturnType<typeof privateRedis>>;

/** Asks again until it succeeds, for at most 5 s. */
export async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (const started = performance.now(); ; await Bun.sleep(20)) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() - started > 5_000) throw error;
    }
  }
}

function freePort(): number {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
  listener.stop(true);
  return listener.port;
}
