import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, sep } from 'node:path';
import { capture, programs } from './programs.mjs';
import { readPackage, root, say } from './root.mjs';

const cache = join(root, '.cache', 'bun');

/** The version that this repository is built and tested with, e.g. "1.4.5". */
export function pinnedBun() {
  return readPackage().packageManager.replace(/^bun@/, '');
}

/** The path of a Bun that is new enough: the one that runs this script, on PATH, in the cache, or installed into it by npm. */
export async function findBun() {
  const wanted = pinnedBun();
  const running = process.versions.bun ? [process.execPath] : [];
  const found = await firstWorking(
    [...running, ...programs('bun').filter((file) => !isShim(file)), ...installed(join(cache, wanted))],
    wanted,
  );
  return found ?? (await install(wanted));
}

/** The npm package's `bun` without its install script only prints advice, and npm puts node_modules/.bin first on PATH. */
const isShim = (file) => file.includes(`node_modules${sep}.bin${sep}`);

async function firstWorking(files, wanted) {
  for (const file of files) {
    const { code, stdout } = await capture(file, ['--version'], { timeout: 20_000 });
    if (code === 0 && isAtLeast(stdout.trim(), wanted)) return file;
  }
  return undefined;
}

function isAtLeast(version, wanted) {
  const [have, want] = [version, wanted].map((text) => text.split('-')[0].split('.').map(Number));
  const different = want.findIndex((part, position) => have[position] !== part);
  return different === -1 || have[different] > want[different];
}

/** npm brings one package for each kind of processor and C library that may fit; baseline ones run everywhere, so they come last. */
function installed(folder) {
  const scope = join(folder, 'node_modules', '@oven');
  try {
    const names = readdirSync(scope).sort((a, b) => Number(a.includes('baseline')) - Number(b.includes('baseline')));
    return names.map((name) => join(scope, name, 'bin', process.platform === 'win32' ? 'bun.exe' : 'bun'));
  } catch {
    return [];
  }
}

async function install(version) {
  say(`Nexus runs on Bun: fetching bun@${version} with npm into .cache/bun (once, about 100 MB) …`);
  const fresh = join(cache, `${version}.${process.pid}`);
  mkdirSync(fresh, { recursive: true });
  const flags = [
    '--no-save',
    '--ignore-scripts',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--loglevel=error',
  ];
  const { code, output } = await npm(['install', `bun@${version}`, '--prefix', fresh, ...flags], { cwd: fresh });
  if (code !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    throw new Error(
      `npm could not install bun@${version}:\n${output.trim()}\nInstall Bun ${version} yourself (https://bun.sh) and try again.`,
    );
  }
  const home = join(cache, version);
  // Two first starts at once: whoever renames second uses the other's.
  rmSync(home, { recursive: true, force: true });
  try {
    renameSync(fresh, home);
  } catch {
    rmSync(fresh, { recursive: true, force: true });
  }
  const found = await firstWorking(installed(home), version);
  if (!found)
    throw new Error(`npm installed bun@${version}, but no build of it runs on this machine (${process.platform} ${process.arch}).`);
  return found;
}

/** npm starts us with the path of its own program, which may not be the first one on PATH. */
function npm(args, options) {
  const own = process.env.npm_execpath;
  if (own && /npm-cli\.c?js$/.test(own)) return capture(process.execPath, [own, ...args], options);
  return capture('npm', args, { shell: process.platform === 'win32', ...options });
}
