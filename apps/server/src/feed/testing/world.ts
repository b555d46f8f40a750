import { sql } from 'drizzle-orm';
import { join } from 'node:path';
import type { Bus } from '../../engines/bus/bus.ts';
import type { Database } from '../../engines/database/database.ts';
import { openPglite } from '../../engines/database/pglite.ts';
import { openPostgres } from '../../engines/database/postgres.ts';
import { createLedger } from '../../ledger/index.ts';
import { createLog } from '../../platform/log.ts';
import { createFeed } from '../feed.ts';

const migrations = join(import.meta.dir, '../../../../../drizzle');
const url = process.env['TEST_DATABASE_URL'];

export const engines: { name: string; open: () => Promise<Database> }[] = [
  { name: 'pglite', open: () => openPglite({ dataDir: undefined, migrations }) },
  ...(url ? [{ name: 'postgres', open: () => openPostgres({ url, migrations, poolSize: 4 }) }] : []),
];

export const log = createLog({ level: 'silent', write: () => undefined });

/** A bus that can be told to lose what it is given. */
export function createTestBus() {
  const listeners = new Map<string, Set<(message: string) => void>>();
  const bus = {
    lossy: false,
    publish: (topic, message) => {
      if (!bus.lossy) for (const listener of listeners.get(topic) ?? []) listener(message);
    },
    subscribe: (topic, listener) => {
      listeners.set(topic, (listeners.get(topic) ?? new Set()).add(listener));
      return () => void listeners.get(topic)?.delete(listener);
    },
    ping: () => Promise.resolve(),
    close: () => Promise.resolve(),
  } satisfies Bus & { lossy: boolean } as Bus & { lossy: boolean };
  return bus;
}

export type World = ReturnType<typeof createWorld>;

/** A feed over a database, and projects whose ledgers tell it. */
export function createWorld(database: Database, options: { pollMs?: number; blockedMs?: number; now?: () => number } = {}) {
  const bus = createTestBus();
  const feed = createFeed({ database, bus, log, ...options });
  const ledger = createLedger({
    database,
    failpoint: () => undefined,
    committed: ({ projectId, seq }) => Promise.resolve(feed.committed(projectId, seq)),
  });

  async function newProject() {
    const [id, epoch, ownerId] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
    await database.db.execute(
      sql`insert into projects (id, name, slug, owner_id, default_branch) values (${id}, 'P', ${id}, ${ownerId}, 'main')`,
    );
    await database.db.execute(sql`insert into ledgers (project_id, ledger_id) values (${id}, ${epoch})`);
    return { id, epoch };
  }

  /** One change with `count` events. */
  const append = (projectId: string, count = 1, path = 'src/a.ts') =>
    ledger.change({ projectId, system: true }, 'test', async (_tx, at) => {
      for (let each = 0; each < count; each += 1) at.emit({ type: 'files_claimed', data: { paths: [path], type: 'not this' } });
    });

  return { database, bus, feed, newProject, append };
}

/** A sink that keeps what it gets, and takes no more than it is told to. */
export function createTestSink() {
  const sink = {
    got: [] as { type: string; seq: number; cursor: string; json: string }[],
    room: Infinity,
    asked: 0,
    closed: undefined as number | undefined,
    send: (frame: { type: string; seq: number; cursor: string; json: string }) => {
      sink.asked += 1;
      if (sink.room <= 0) return 'blocked' as const;
      sink.got.push(frame);
      sink.room -= 1;
      return sink.room > 0 ? ('sent' as const) : ('queued' as const);
    },
    close: (code: number) => {
      sink.closed = code;
    },
    seqs: () => sink.got.map(({ seq }) => seq),
  };
  return sink;
}

export const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, step) => from + step);

export async function until(condition: () => boolean, what: string, ms = 10_000) {
  for (const end = Date.now() + ms; !condition(); await Bun.sleep(5)) if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
}
