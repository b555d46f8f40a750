import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findChromium, findPostgres, findRedis, startPostgres, startRedis } from './engines.mjs';
import { skip } from './report.mjs';
import { root } from './root.mjs';

/** What a developer's shell may carry and a test must not see. */
const foreign =
  /^(DATABASE_URL|REDIS_URL|API_KEY_SALT|PORT|HOST|NODE_ENV|NEXUS_(?!TEST_).*|CLAUDE.*|CODEX_.*|GEMINI_.*|LEASE_TTL_SECONDS)$/;

export const cleanEnvironment = () => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name))),
  ...Object.fromEntries(namesInEnvFile().map((name) => [name, ''])),
});

/** Bun reads .env into every program it runs, but never over a variable that is set, were it to nothing. */
function namesInEnvFile() {
  const file = join(root, '.env');
  return existsSync(file) ? [...readFileSync(file, 'utf8').matchAll(/^\s*(?:export\s+)?([A-Z_]\w*)\s*=/gm)].map(([, name]) => name) : [];
}

/** Starts the throw-away engines that this machine can run, names the missing ones, and answers what tests see of them. */
export async function startTestEngines() {
  const [bin, redis, chromium] = [findPostgres(), findRedis(), findChromium()];
  const lacks = [!bin && 'PostgreSQL programs', !redis && 'redis-server'].filter(Boolean);
  if (lacks.length > 0) {
    const packages = [!bin && 'postgresql', !redis && 'redis-server'].filter(Boolean).join(' ');
    skip('team engines', `no ${lacks.join(' and no ')} found (apt-get install ${packages})`);
  }
  if (!chromium) skip('the dashboard in a browser', 'no Chromium found (apt-get install chromium)');
  const [postgres, cache] = await Promise.all([
    bin && startPostgres(bin, { fsync: process.env.NEXUS_TEST_FSYNC === 'on' }),
    redis && startRedis(redis),
  ]);
  return {
    ...(postgres && { TEST_DATABASE_URL: postgres.url, TEST_PG_BIN: bin }),
    ...(cache && { TEST_REDIS_URL: cache.url }),
    ...(chromium && { CHROMIUM: chromium }),
  };
}
