import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runBunTest } from './lib/bun-test.mjs';
import { capture } from './lib/programs.mjs';
import { root, say } from './lib/root.mjs';
import { ready, withBun } from './lib/run.mjs';
import { cleanEnvironment } from './lib/test-engines.mjs';

// `bun run test:clients`: the real Claude Code against a scripted model on loopback, the real husky and lefthook; asked for,
// since it downloads some 250 MB. Nothing leaves the machine but that download: a home, a key and an environment of its own.
// `bun run test:clients git`: that lane alone. `--record`: what the programs sent, and laid out, as fixtures of the default tests.
const clients = { '@anthropic-ai/claude-code': '2.1.329', husky: '9.1.7', lefthook: '2.2.2' };
const lanes = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const isRecording = process.argv.includes('--record');
const folder = join(root, '.cache', 'clients');
// The program itself: the package's own command is a stub until an install script ran, and none is run here.
const binary = join(folder, 'node_modules', `@anthropic-ai/claude-code-${process.platform}-${process.arch}`, 'claude');

const bun = await ready();
if (!isInstalled()) {
  say(
    `Fetching ${Object.entries(clients)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')} …`,
  );
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: clients }));
  const code = await npm('install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder);
  if (code !== 0 || !isInstalled()) {
    say('The clients could not be installed from the npm registry.');
    process.exit(1);
  }
}
const files = (lanes.length > 0 ? lanes : ['claude', 'silence', 'plugin', 'git']).map((lane) => `./test/clients/${lane}.lane.ts`);
const { failed } = await runBunTest(bun, files, {
  ...withBun(bun, cleanEnvironment()),
  CLAUDE_BINARY: binary,
  HOOK_MANAGERS: join(folder, 'node_modules', '.bin'),
  ...(isRecording && { NEXUS_TEST_RECORD: '1' }),
});
const fixtures = ['apps/cli/src/hook/fixtures', 'apps/cli/test/fixtures'];
if (isRecording) await capture(bun, ['--bun', 'node_modules/oxfmt/bin/oxfmt', ...fixtures], { cwd: root });
process.exitCode = failed === 0 ? 0 : 1;

function isInstalled() {
  return (
    Object.entries(clients).every(([name, version]) => {
      const file = join(folder, 'node_modules', name, 'package.json');
      return existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).version === version;
    }) && existsSync(binary)
  );
}

function npm(...args) {
  return new Promise((resolve) => {
    const child = spawn('npm', args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', () => resolve(127));
    child.once('close', (code) => resolve(code ?? 1));
  });
}
