import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { capture } from './programs.mjs';
import { root } from './root.mjs';

const sources = ['apps/cli/src', 'packages/contract/src', 'packages/client/src', 'packages/paths/src', 'bun.lock'];
export const bundle = join(root, 'apps/cli/dist/nexus.mjs');

/** Bundles the `nexus` command for Node, where a source is newer than the bundle. Answers what Bun said when it failed. */
export async function bundleCli(bun, { force = false } = {}) {
  if (!force && existsSync(bundle) && sources.every((source) => newest(join(root, source)) < statSync(bundle).mtimeMs)) return undefined;
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
export async function compileCli(bun, { outfile = join(root, 'apps/cli/dist/nexus') } = {}) {
  const { code, output } = await capture(bun, ['build', 'apps/cli/src/main.ts', ...compileFlags, '--outfile', outfile], { cwd: root });
  return code === 0 ? undefined : output.trim();
}

function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}
