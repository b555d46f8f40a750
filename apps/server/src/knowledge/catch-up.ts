import type { Database, Queryable } from '../engines/database/database.ts';
import type { Ledger } from '../ledger/index.ts';
import type { Log } from '../platform/log.ts';
import { indexEntries } from '../search/index.ts';
import { everySource, missingEntries, projectsBehind, type Source } from './catch-up.store.ts';

/** So many texts in one statement, and beside others in one transaction: they wait for the project's lock meanwhile. */
const BATCH = 200;
const FIRST = '00000000-0000-0000-0000-000000000000';

/** Makes the next texts findable that are not; answers the last one's id, undefined when that was all. */
async function indexNext(tx: Queryable, projectId: string, source: Source, after: string): Promise<string | undefined> {
  const entries = await missingEntries(tx, projectId, source, after, BATCH);
  await indexEntries(tx, projectId, entries);
  return entries.length === BATCH ? entries.at(-1)?.id : undefined;
}

/** Everything of a project, within a transaction that wrote it all. */
export async function indexMissing(tx: Queryable, projectId: string): Promise<void> {
  for (const source of everySource)
    for (let after: string | undefined = FIRST; after !== undefined;) after = await indexNext(tx, projectId, source, after);
}

/** Makes texts findable that were written before there was a search. Runs once, beside everything else. */
export function createCatchUp({ database, ledger, log }: { database: Database; ledger: Ledger; log: Log }) {
  let stopped = false;

  async function catchUp(projectId: string, source: Source): Promise<void> {
    for (let after: string | undefined = FIRST; after !== undefined && !stopped;) {
      const from: string = after;
      after = await ledger.change({ projectId, system: true }, 'index', (tx) => indexNext(tx, projectId, source, from));
    }
  }

  return {
    async run() {
      try {
        for (const source of everySource)
          for (const projectId of await projectsBehind(database.db, source)) await catchUp(projectId, source);
      } catch (error) {
        if (!stopped) log.warn({ err: error }, 'search: texts written before an upgrade are found after the next start');
      }
    },
    stop: () => {
      stopped = true;
    },
  };
}
