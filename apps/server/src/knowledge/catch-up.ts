import type { Database, Queryable } from '../engines/database/database.ts';
import type { Ledger } from '../ledger/index.ts';
import type { Log } from '../platform/log.ts';
import { indexEntries } from '../search/index.ts';
import { missingEntries, projectsBehind } from './catch-up.store.ts';

/** So many texts in one transaction: others wait for the project's lock meanwhile. */
const BATCH = 100;

/** Makes up to `limit` texts findable that are not; answers how many that were. */
export async function indexMissing(tx: Queryable, projectId: string, limit: number): Promise<number> {
  const entries = await missingEntries(tx, projectId, limit);
  await indexEntries(tx, projectId, entries);
  return entries.length;
}

/** Makes texts findable that were written before there was a search. Runs once, beside everything else. */
export function createCatchUp({ database, ledger, log }: { database: Database; ledger: Ledger; log: Log }) {
  let stopped = false;

  async function catchUp(projectId: string): Promise<void> {
    for (let found = BATCH; found === BATCH && !stopped;) {
      found = await ledger.change({ projectId, system: true }, 'index', (tx) => indexMissing(tx, projectId, BATCH));
    }
  }

  return {
    async run() {
      try {
        for (const projectId of await projectsBehind(database.db)) await catchUp(projectId);
      } catch (error) {
        if (!stopped) log.warn({ err: error }, 'search: texts written before an upgrade are found after the next start');
      }
    },
    stop: () => {
      stopped = true;
    },
  };
}
