import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runBunTest } from './lib/bun-test.mjs';
import { closeAll } from './lib/closers.mjs';
import { runDemo } from './lib/demo.mjs';
import { capture } from './lib/programs.mjs';
import { runProve } from './lib/prove.mjs';
import { count, finish, lane } from './lib/report.mjs';
import { readPackage, root } from './lib/root.mjs';
import { ready, withBun } from './lib/run.mjs';
import { smokeCli, smokeServer } from './lib/smoke.mjs';
import { cleanEnvironment, startTestEngines } from './lib/test-engines.mjs';

// `npm test`: every lane. `npm test -- <what bun test takes>`: the tests alone.
const asked = process.argv.slice(2);
const bun = await ready();
const env = withBun(bun, cleanEnvironment());
const has = (file) => existsSync(join(root, file));
const hasTeam = (engines) => engines.TEST_DATABASE_URL !== undefined && engines.TEST_REDIS_URL !== undefined;

async function script(name) {
  const { code, output } = await capture(bun, ['--no-orphans', 'run', name], { cwd: root, env });
  if (code !== 0) console.log(output.trim());
  return code === 0;
}

if (asked.length === 0) await lane('check', () => script('check'));

let engines = {};
await lane('tests', async () => {
  engines = await startTestEngines();
  return runBunTest(bun, asked.length > 0 ? asked : ['--only-failures'], { ...env, ...engines });
});

if (asked.length === 0) await lane('the proof, quick', () => runProve(bun, { ...env, ...engines }));

if (asked.length === 0 && has('apps/server/src/main.ts')) {
  await lane('build', () => script('build'));
  await lane('built server', () => smokeServer(bun, env));
  if (has('apps/cli/src/main.ts')) await lane('built CLI on Node', () => smokeCli(env));
}

if (asked.length === 0 && readPackage().scripts.demo) {
  await lane('demo, embedded', () => runDemo(bun, env));
  if (hasTeam(engines)) await lane('demo, team engines', () => runDemo(bun, env, engines));
  else count({ skipped: 1 });
}

await closeAll();
process.exitCode = finish();
