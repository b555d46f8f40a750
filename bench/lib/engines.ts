import { findPostgres, findRedis, startPostgres, startRedis } from '../../scripts/lib/engines.mjs';

export type EngineSet = 'embedded' | 'team';

export type TeamEngines = {
  /** The folder of pgbench and psql. */
  bin: string;
  redisUrl: string;
  /** A new, empty database on the throw-away server. */
  database: (name: string) => Promise<string>;
  /** Columns must be text, or read as such. */
  query: (url: string, sql: string) => Promise<Record<string, string>[]>;
  /** Bytes that Redis has in use. */
  redisMemory: () => Promise<number>;
  /** The names of all its keys. */
  redisKeys: () => Promise<string[]>;
  about: () => Promise<string>;
};

/** A throw-away Postgres with fsync and a Redis, for all rows of one run; undefined where the programs are missing. */
export async function startTeamEngines(): Promise<TeamEngines | undefined> {
  const [bin, program] = [findPostgres(), findRedis()];
  if (!bin || !program) return undefined;
  const [postgres, redis] = await Promise.all([startPostgres(bin, { fsync: true }), startRedis(program)]);
  const query = async (url: string, sql: string) => {
    const client = new Bun.SQL(url, { max: 1 });
    try {
      return (await client.unsafe(sql)) as Record<string, string>[];
    } finally {
      await client.close();
    }
  };
  const askRedis = async (command: string, args: string[]): Promise<unknown> => {
    const client = new Bun.RedisClient(redis.url);
    const answer: unknown = await client.send(command, args);
    client.close();
    return answer;
  };
  const redisInfo = async (section: string) => String(await askRedis('INFO', [section]));
  return {
    bin,
    redisUrl: redis.url,
    query,
    redisMemory: async () => Number(/used_memory:(\d+)/.exec(await redisInfo('memory'))?.[1]),
    redisKeys: async () => (await askRedis('KEYS', ['*'])) as string[],
    database: async (name) => {
      await query(postgres.url, `create database ${name}`);
      const url = new URL(postgres.url);
      url.pathname = `/${name}`;
      return url.href;
    },
    about: async () => {
      const [row] = await query(
        postgres.url,
        `select current_setting('server_version') as version, current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`,
      );
      const cache = /redis_version:(\S+)/.exec(await redisInfo('server'))?.[1] ?? '?';
      return `PostgreSQL ${row?.['version'] ?? '?'}, fsync ${row?.['fsync'] ?? '?'}, synchronous_commit ${row?.['commit'] ?? '?'}; Redis ${cache}`;
    },
  };
}
