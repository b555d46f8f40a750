import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onLeash } from './leash.mjs';
import { accepts, eventually, freePort } from './ports.mjs';
import { capture, programs } from './programs.mjs';

const chromiums = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const macChromium = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

export const findChromium = () => chromiums.flatMap((name) => programs(name))[0] ?? (existsSync(macChromium) ? macChromium : undefined);

/** Debian keeps the server's programs off PATH, one folder for each version; Homebrew links none of a versioned formula. */
function postgresFolders() {
  const under = (parent, pattern) => {
    const names = existsSync(parent) ? readdirSync(parent).filter((name) => pattern.test(name)) : [];
    const version = (name) => Number(/\d+/.exec(name)?.[0] ?? 0);
    return names.sort((a, b) => version(b) - version(a)).map((name) => join(parent, name));
  };
  return [
    ...under('/usr/lib/postgresql', /^\d+$/),
    ...under('/opt/homebrew/opt', /^postgresql/),
    ...under('/usr/local/opt', /^postgresql/),
    ...under('/usr', /^pgsql-\d+$/),
  ].map((folder) => join(folder, 'bin'));
}

/** The folder that holds initdb and postgres, or undefined. */
export function findPostgres() {
  const folders = programs('initdb', postgresFolders()).flatMap((file) => [dirname(realpathSync(file)), dirname(file)]);
  return folders.find((folder) => ['initdb', 'postgres', 'psql'].every((name) => existsSync(join(folder, name))));
}

/** Postgres refuses root, so root runs it as somebody else: `{ prefix, uid, gid }`, or undefined when nobody else is there. */
async function otherUser() {
  if (process.getuid?.() !== 0) return { prefix: [] };
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = await Promise.all([capture('id', ['-u', name]), capture('id', ['-g', name])]);
    if (uid.code !== 0 || gid.code !== 0) continue;
    const ids = { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    if (programs('setpriv').length > 0) {
      return { ...ids, prefix: ['setpriv', `--reuid=${ids.uid}`, `--regid=${ids.gid}`, '--clear-groups', '--'] };
    }
    if (programs('runuser').length > 0) return { ...ids, prefix: ['runuser', '-u', name, '--'] };
    return { ...ids, prefix: ['su', '-s', '/bin/sh', name, '-c', 'exec "$@"', '--', 'su'] };
  }
  return undefined;
}

/** Folders of sockets must have short names: a Unix socket's path ends at 103 bytes. */
function freshFolder(name, owner = {}) {
  const folder = mkdtempSync(join(tmpdir(), `nexus-${name}-`));
  if (owner.uid !== undefined) chownSync(folder, owner.uid, owner.gid);
  chmodSync(folder, 0o700);
  return folder;
}

/** A throw-away Postgres on a free port of 127.0.0.1. Answers `{ url, bin, stop }`; fsync only when asked for. */
export async function startPostgres(bin, { fsync = false } = {}) {
  const user = await otherUser();
  if (!user) throw new Error('Postgres refuses to run as root, and there is no user postgres or nobody to run it as.');
  const folder = freshFolder('pg', user);
  const run = (command, args) => {
    const [first, ...rest] = [...user.prefix, command, ...args];
    return capture(first, rest, { cwd: folder });
  };
  const data = join(folder, 'data');
  const made = await run(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']);
  if (made.code !== 0) {
    rmSync(folder, { recursive: true, force: true });
    throw new Error(`initdb failed:\n${made.output.trim()}`);
  }
  const port = await freePort();
  const settings = {
    max_connections: 300,
    fsync: fsync ? 'on' : 'off',
    synchronous_commit: fsync ? 'on' : 'off',
    full_page_writes: fsync ? 'on' : 'off',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const { output, stop } = onLeash({
    command: join(bin, 'postgres'),
    args: ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', folder, ...args],
    folder,
    signal: 'QUIT',
    prefix: user.prefix,
  });
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const answers = async () => (await capture(join(bin, 'psql'), [url, '-Atc', 'select 1'])).code === 0;
  if (await eventually(answers, 60_000)) return { url, bin, stop };
  await stop();
  throw new Error(`Postgres did not start:\n${output().trim()}`);
}

export const findRedis = () => programs('redis-server', ['/opt/homebrew/bin', '/usr/local/bin'])[0] ?? programs('valkey-server')[0];

/** A throw-away Redis on a free port of 127.0.0.1 that writes nothing. Answers `{ url, stop }`. */
export async function startRedis(program) {
  const folder = freshFolder('redis');
  const port = await freePort();
  const quiet = ['--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction', '--daemonize', 'no', '--dir', folder];
  const { output, stop } = onLeash({
    command: program,
    args: ['--port', String(port), '--bind', '127.0.0.1', ...quiet],
    folder,
    signal: 'TERM',
  });
  if (await eventually(() => accepts(port), 20_000)) return { url: `redis://127.0.0.1:${port}`, stop };
  await stop();
  throw new Error(`Redis did not start:\n${output().trim()}`);
}
