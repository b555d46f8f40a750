import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleCli, compileCli } from './lib/cli.mjs';
import { capture } from './lib/programs.mjs';
import { ready, withBun } from './lib/run.mjs';
import { root } from './lib/root.mjs';

// `bun run build`: the server for Bun into apps/server/dist, the CLI for Node as one file, apps/cli/dist/nexus.mjs,
// and as an executable, apps/cli/dist/nexus, whose hooks start in milliseconds.
const bun = await ready();

async function bundle(what, args) {
  const { code, output } = await capture(bun, ['build', ...args], { cwd: root, env: withBun(bun) });
  if (code !== 0) {
    console.error(`The build of ${what} failed:\n${output.trim()}`);
    process.exit(1);
  }
  console.log(`built ${what}`);
}

// What was installed stays outside: PGlite and argon2 look for their data beside their own code.
const { dependencies } = JSON.parse(readFileSync(join(root, 'apps/server/package.json'), 'utf8'));
const external = Object.keys(dependencies).filter((name) => !name.startsWith('@nexus/'));
const server = ['apps/server/src/main.ts', '--target', 'bun', '--outdir', 'apps/server/dist', '--sourcemap=linked'];
await bundle('apps/server/dist/main.js', [...server, ...external.flatMap((name) => ['--external', name])]);

const bundled = await bundleCli(bun, { force: true });
if (bundled !== undefined) {
  console.error(`The build of apps/cli/dist/nexus.mjs failed:\n${bundled}`);
  process.exit(1);
}
console.log('built apps/cli/dist/nexus.mjs');

const compiled = await compileCli(bun, { force: true });
if (compiled === undefined) console.log('built apps/cli/dist/nexus');
else console.warn(`No apps/cli/dist/nexus on this platform; nexus.mjs does the same, slower:\n${compiled}`);
