import { existsSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { capture } from './programs.mjs';
import { root } from './root.mjs';

const sources = ['apps/cli/src', 'packages/contract/src', 'packages/client/src', 'packages/paths/src', 'bun.lock'];
const bundle = join(root, 'apps/cli/dist/nexus.mjs');
const executable = join(root, 'apps/cli/dist/nexus');
const isFresh = (made) => existsSync(made) && sources.every((source) => newest(join(root, source)) < statSync(made).mtimeMs);

/** Bundles the `nexus` command for Node, where a source is newer than the bundle. Answers what Bun said when it failed. */
export async function bundleCli(bun, { force = false } = {}) {
  if (!force && isFresh(bundle)) return undefined;
  const args = [
    'build',
    'apps/cli/src/main.ts',
    '--target',
    'node',
    '--format',
    'esm',
    '--minify',
    '--main-fields',
    'module',
    '--main-fields',
    'main',
    '--outfile',
    bundle,
  ];
  const { code, output } = await capture(bun, args, { cwd: root });
  return code === 0 ? undefined : output.trim();
}

/** Bun's own flags: splitting keeps what only commands need out of a hook's start, bytecode saves the parsing. */
export const compileFlags = ['--compile', '--bytecode', '--minify', '--splitting', '--format', 'esm'];

/** The same command as one executable, whose hooks start in milliseconds. Answers what Bun said when it failed. */
export async function compileCli(bun, { outfile = executable, force = false } = {}) {
  if (!force && isFresh(outfile)) return undefined;
  // A keeper may be running what is replaced.
  const made = `${outfile}.${process.pid}`;
  const { code, output } = await capture(bun, ['build', 'apps/cli/src/main.ts', ...compileFlags, '--outfile', made], { cwd: root });
  if (code !== 0) return output.trim();
  renameSync(made, outfile);
  return undefined;
}

function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}
