import { findPostgres, findRedis, startPostgres, startRedis } from '../lib/engines.mjs';

/** Settings of a server on its own, empty engines, and how to give these back. */
export type EngineSet = { env: Record<string, string>; about: string; close: (projectId: string | undefined) => Promise<void> };
type Env = Record<string, string | undefined>;

export const embedded = async (): Promise<EngineSet> => ({ env: {}, about: 'PGlite, leases in process', close: async () => {} });

/** What team engines would run on: the given URLs, else programs of this machine; undefined when there are neither. */
export function findTeam(env: Env): (() => Promise<EngineSet>) | undefined {
  const [database, redis] = [env['TEST_DATABASE_URL'] ?? env['DATABASE_URL'], env['TEST_REDIS_URL'] ?? env['REDIS_URL']];
  if (database && redis) return () => borrowed(database, redis);
  const [postgres, cache] = [findPostgres(), findRedis()];
  return postgres && cache ? () => thrownAway(postgres, cache) : undefined;
}

const salted = (database: string, redis: string) => ({
  DATABASE_URL: database,
  REDIS_URL: redis,
  API_KEY_SALT: Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex'),
});

async function thrownAway(postgres: string, cache: string): Promise<EngineSet> {
  const [database, redis] = await Promise.all([startPostgres(postgres), startRedis(cache)]);
  return {
    env: salted(database.url, redis.url),
    about: 'throw-away Postgres and Redis',
    close: async () => {
      await Promise.all([database.stop(), redis.stop()]);
    },
  };
}

/** Somebody's servers may hold somebody's data: the demo gets a database of its own there, and takes its keys out of Redis. */
async function borrowed(database: string, redis: string): Promise<EngineSet> {
  const name = `nexus_demo_${process.pid}_${Date.now()}`;
  const admin = new Bun.SQL(database, { max: 1 });
  await admin.unsafe(`create database ${name}`);
  const url = new URL(database);
  url.pathname = `/${name}`;
  return {
    env: salted(url.href, redis),
    about: `Postgres and Redis as given, database ${name}`,
    close: async (projectId) => {
      await admin.unsafe(`drop database if exists ${name} with (force)`);
      await admin.close();
      if (projectId === undefined) return;
      const client = new Bun.RedisClient(redis);
      const keys = await client.keys(`*${projectId}*`);
      if (keys.length > 0) await client.del(...keys);
      client.close();
    },
  };
}
