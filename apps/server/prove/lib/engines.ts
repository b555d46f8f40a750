import { findPostgres, findRedis, startPostgres, startRedis } from '../../../../scripts/lib/engines.mjs';

/** Starts a Postgres and a Redis for the suites, where the machine has them and nobody gave us any. Before anything asks for them. */
export async function startEngines(): Promise<void> {
  const { env } = process;
  const [bin, redis] = [findPostgres(), findRedis()];
  if (bin) env['TEST_PG_BIN'] ??= bin;
  if (!bin || !redis || env['TEST_DATABASE_URL']) return;
  const [database, store] = await Promise.all([startPostgres(bin), startRedis(redis)]);
  env['TEST_DATABASE_URL'] = database.url;
  env['TEST_REDIS_URL'] = store.url;
}
