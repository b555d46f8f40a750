import type { SQL } from 'drizzle-orm';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';

/** What a query runs on: the database itself, or a transaction. */
export type Queryable = Pick<PgDatabase<PgQueryResultHKT>, 'select' | 'insert' | 'update' | 'delete' | 'execute' | 'selectDistinctOn'>;

/** The ledger's engine: PostgreSQL, or PGlite in this process. Both run the same SQL and the same migrations. */
export type Database = {
  kind: 'postgres' | 'pglite';
  /** For reads, and writes of one statement. */
  db: Queryable;
  /**
   * One transaction; commits when `work` answers, rolls back when it throws. Await nothing but queries in it.
   * A handle that outlives its transaction is refused.
   */
  transaction: <T>(work: (tx: Queryable) => Promise<T>) => Promise<T>;
  /** Throws when the database cannot be reached. */
  ping: () => Promise<void>;
  close: () => Promise<void>;
};

/** Runs plain SQL; answers its rows as objects, the same from both drivers. The caller names the columns' types. */
export async function rows<T>(on: Queryable, query: SQL): Promise<T[]> {
  const result = (await on.execute(query)) as unknown;
  return (Array.isArray(result) ? result : (result as { rows: unknown[] }).rows) as T[];
}
