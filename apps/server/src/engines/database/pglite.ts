import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import { drizzle } from 'drizzle-orm/pglite';
import { migrate } from 'drizzle-orm/pglite/migrator';
import type { Database } from './database.ts';
import { lockDirectory } from './lock.ts';

export type PgliteOptions = {
  /** Undefined: in memory, for tests. */
  dataDir: string | undefined;
  migrations: string;
  /** Who the data directory belongs to meanwhile, for whoever else wants it: "process 42". */
  owner?: string;
  /** A data directory as `PGlite.dumpDataDir` gives it: starts in a tenth of the time. */
  dump?: Blob;
  /** Brings the extension along. No table needs it: the directory can be opened without it again. */
  pgvector?: boolean;
};

/** Opens (or makes) the database in a directory that no other server uses. */
export async function openPglite({
  dataDir,
  migrations,
  dump,
  owner = 'another process',
  pgvector = false,
}: PgliteOptions): Promise<Database & { client: PGlite }> {
  if (dataDir) mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const unlock = dataDir ? lockDirectory(dataDir, owner) : () => undefined;
  try {
    const client = await PGlite.create({
      ...(dataDir ? { dataDir: join(dataDir, 'db') } : {}),
      ...(dump ? { loadDataDir: dump } : {}),
      ...(pgvector ? { extensions: { vector } } : {}),
    });
    const db = drizzle(client);
    await migrate(db, { migrationsFolder: migrations });
    return {
      kind: 'pglite',
      client,
      db,
      transaction: (work) => db.transaction(work),
      ping: async () => void (await client.query('select 1')),
      close: async () => {
        await client.close();
        unlock();
      },
    };
  } catch (error) {
    unlock();
    throw error;
  }
}
