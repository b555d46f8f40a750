import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { capture } from './programs.mjs';
import { root } from './root.mjs';

/** Runs `bun run demo`, on the team engines when `engines` has both; its output is shown only when it fails. */
export async function runDemo(bun, env, engines) {
  const team = engines && (await teamEnvironment(engines));
  const { code, output } = await capture(bun, ['--no-orphans', 'run', 'demo'], { cwd: root, env: { ...env, ...team } });
  if (code !== 0) console.log(output.trim());
  return code === 0;
}

/** The demo gets a database of its own, for the tests leave theirs as they like. */
async function teamEnvironment({ TEST_DATABASE_URL, TEST_REDIS_URL, TEST_PG_BIN }) {
  const name = `nexus_demo_${process.pid}`;
  const made = await capture(join(TEST_PG_BIN, 'psql'), [TEST_DATABASE_URL, '-c', `create database ${name}`]);
  if (made.code !== 0) throw new Error(made.output.trim());
  const url = new URL(TEST_DATABASE_URL);
  url.pathname = `/${name}`;
  return { DATABASE_URL: url.href, REDIS_URL: TEST_REDIS_URL, API_KEY_SALT: randomBytes(32).toString('hex') };
}
