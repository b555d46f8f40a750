import { spawn } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { homeEnv, makePlace } from '../../src/testing/io.ts';

export type Done = { code: number; out: string; err: string };
export type Checkout = {
  dir: string;
  env: Record<string, string>;
  /** Runs a program in the checkout; the server of the same test goes on answering. */
  run: (command: string, args: string[], more?: { env?: Record<string, string>; stdin?: string; cwd?: string }) => Promise<Done>;
  git: (...args: string[]) => Promise<Done>;
  nexus: (...args: string[]) => Promise<Done>;
  write: (path: string, text: string, mode?: number) => void;
  read: (path: string) => string;
  remove: () => void;
};

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

/** The CLI as one file, made once for the tests of a process: from source every git hook would take twice as long. */
let bundled: Promise<string> | undefined;
async function bundle(): Promise<string> {
  const outdir = mkdtempSync(join(tmpdir(), 'nxb-'));
  process.on('exit', () => rmSync(outdir, { recursive: true, force: true }));
  const { outputs } = await Bun.build({ entrypoints: [main], outdir, target: 'bun', bytecode: true });
  const [made] = outputs;
  if (made === undefined) throw new Error('The CLI was not bundled.');
  return made.path;
}

/** An empty git repository with a home of its own and `nexus`, from source, on PATH. */
export async function makeCheckout(more: Record<string, string> = {}): Promise<Checkout> {
  const place = makePlace();
  const dir = join(place.dir, 'work');
  const bin = join(place.dir, 'bin');
  mkdirSync(dir);
  mkdirSync(bin);
  program(join(bin, 'nexus'), `#!/bin/sh\nexec '${process.execPath}' '${await (bundled ??= bundle())}' "$@"\n`);
  const home = homeEnv(join(place.dir, 'home'));
  const env = {
    ...home,
    PATH: `${bin}:${home['PATH'] ?? ''}`,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'Ann',
    GIT_AUTHOR_EMAIL: 'ann@example.org',
    GIT_COMMITTER_NAME: 'Ann',
    GIT_COMMITTER_EMAIL: 'ann@example.org',
    NEXUS_NO_KEEPER: '1',
    ...more,
  };
  const run: Checkout['run'] = (command, args, options = {}) =>
    new Promise((resolve, reject) => {
      const child = spawn(command, args, { cwd: options.cwd ?? dir, env: { ...env, ...options.env } });
      const done: Done = { code: 0, out: '', err: '' };
      child.stdout.on('data', (chunk) => (done.out += String(chunk)));
      child.stderr.on('data', (chunk) => (done.err += String(chunk)));
      child.on('error', reject);
      child.on('close', (code) => resolve({ ...done, code: code ?? 1 }));
      child.stdin.end(options.stdin ?? '');
    });
  const git = (...args: string[]): Promise<Done> => run('git', args);
  await git('init', '-q', '-b', 'main');
  return {
    dir,
    env,
    run,
    git,
    nexus: (...args) => run('nexus', args),
    write: (path, text, mode) => {
      mkdirSync(join(dir, path, '..'), { recursive: true });
      writeFileSync(join(dir, path), text);
      if (mode !== undefined) chmodSync(join(dir, path), mode);
    },
    read: (path) => readFileSync(join(dir, path), 'utf8'),
    remove: place.remove,
  };
}

export function program(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

/** Every file below with its mode and content, to compare before and after. */
export function treeOf(dir: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(dir, name);
    const stat = lstatSync(path);
    if (stat.isSymbolicLink()) found[name] = `-> ${readlinkSync(path)}`;
    else if (stat.isFile()) found[name] = `${(statSync(path).mode & 0o777).toString(8)} ${readFileSync(path, 'latin1')}`;
    else found[name] = 'directory';
  }
  return found;
}
