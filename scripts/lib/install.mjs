import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { capture } from './programs.mjs';
import { root, say } from './root.mjs';

const stamp = join(root, 'node_modules', '.installed');

/** Installs exactly what bun.lock says, patched; does nothing when it did so for this very lockfile and these patches before. */
export async function installDependencies(bun) {
  const patches = readdirSync(join(root, 'patches')).map((name) => join('patches', name));
  const hash = createHash('sha256');
  for (const file of ['bun.lock', ...patches]) hash.update(readFileSync(join(root, file)));
  const wanted = hash.digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  say('Installing dependencies with Bun …');
  const { code, output } = await capture(bun, ['install', '--frozen-lockfile'], { cwd: root });
  if (code !== 0) throw new Error(`bun install --frozen-lockfile failed:\n${output.trim()}`);
  writeFileSync(stamp, wanted);
}
