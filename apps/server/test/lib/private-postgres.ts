import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { eventually } from '../harness.ts';
import { freePort } from './restartable.ts';

const bin = process.env['TEST_PG_BIN'];
export const hasPostgresPrograms = bin !== undefined;

export type PrivatePostgres = Awaited<ReturnType<typeof privatePostgres>>;

/** A PostgreSQL of a test's own, to be crashed, stopped and started again at one address. Runs when this resolves. */
export async function privatePostgres() {
  const folder = mkdtempSync(join(tmpdir(), 'nexus-pg-'));
  const port = freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const as = unprivileged(folder);
  const data = join(folder, 'data');
  let server: Bun.Subprocess | undefined;

  const program = (name: string, args: string[]) =>
    Bun.spawn([...as, join(bin ?? '', name), ...args], { cwd: folder, stdout: 'ignore', stderr: 'ignore' });

  /** One that runs goes on running. */
  async function start() {
    if (server) return;
    server = program('postgres', [
      '-D',
      data,
      '-h',
      '127.0.0.1',
      '-p',
      String(port),
      '-k',
      folder,
      '-c',
      'fsync=off',
      '-c',
      'max_connections=100',
    ]);
    await eventually(
      'PostgreSQL answers',
      () =>
        asks((sql) => sql`select 1`).then(
          () => true,
          () => false,
        ),
      60_000,
    );
  }

  /** Runs statements on a connection of its own. */
  async function asks<T>(work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
    const sql = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => undefined });
    try {
      return await work(sql);
    } finally {
      await sql.end({ timeout: 1 });
    }
  }

  async function crash() {
    // An immediate shutdown: every connection breaks, and the next start recovers from the log.
    server?.kill('SIGQUIT');
    await server?.exited;
    server = undefined;
  }

  const made = await program('initdb', ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']).exited;
  if (made !== 0) throw new Error(`initdb ended with ${made}.`);
  await start();
  return {
    url,
    start,
    crash,
    asks,
    pause: () => server?.kill('SIGSTOP'),
    resume: () => server?.kill('SIGCONT'),
    async remove() {
      await crash();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses root, which becomes the user postgres here, else nobody. */
function unprivileged(folder: string): string[] {
  if (process.getuid?.() !== 0) return [];
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((flag) => Bun.spawnSync(['id', flag, name]).stdout.toString().trim());
    if (!uid || !gid) continue;
    chownSync(folder, Number(uid), Number(gid));
    return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--'];
  }
  throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody.');
}
