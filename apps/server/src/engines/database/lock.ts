import { Database as Sqlite } from 'bun:sqlite';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** PGlite lets two processes open one directory, and the second one's writes vanish: so the directory has an owner. */
export class DataDirectoryInUse extends Error {
  override name = 'DataDirectoryInUse';
}

/**
 * Takes the directory for this process; answers the function that gives it back. The kernel holds the lock (SQLite is how
 * Bun reaches it): it ends with its process, however that ends, and it holds between containers on one volume.
 */
export function lockDirectory(dataDir: string, owner: string): () => void {
  const name = join(dataDir, 'nexus.lock');
  const lock = new Sqlite(name, { create: true });
  try {
    // One atomic step. An exclusive one takes three, and of several that start at once each can be in another's way.
    lock.run('begin immediate');
  } catch (error) {
    lock.close();
    if ((error as { code?: unknown }).code !== 'SQLITE_BUSY') throw error;
    throw new DataDirectoryInUse(
      `Another Nexus server (${ownerOf(dataDir)}) uses the data directory ${dataDir}. Stop it, or set NEXUS_DATA_DIR to another directory.`,
      { cause: error },
    );
  }
  writeFileSync(join(dataDir, 'nexus.pid'), `${owner}\n`, { mode: 0o600 });
  return () => {
    lock.run('rollback');
    lock.close();
  };
}

/** For the message only. */
function ownerOf(dataDir: string): string {
  try {
    return readFileSync(join(dataDir, 'nexus.pid'), 'utf8').trim();
  } catch {
    return 'just starting';
  }
}
