import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import { isConnectionLost } from '../../platform/errors.ts';
import { within } from '../../platform/within.ts';
import type { Database } from './database.ts';

/** Longer than the statement and lock timeouts let it take: by then its connection is gone, and nobody tells. */
const TRANSACTION_MS = 12_000;

/** Spells "nexus" in hexadecimal; whoever migrates holds it. */
const MIGRATION_LOCK = 0x6e65787573;

export type PostgresOptions = { url: string; migrations: string; poolSize: number; onNotice?: (message: string) => void };

/** Connects and brings the schema up to date, one server at a time. */
export async function openPostgres({ url, migrations, poolSize }: PostgresOptions): Promise<Database> {
  const options = {
    connect_timeout: 5,
    // Seconds between attempts. By default they grow to 20: so long queries would wait to fail, and to find it back.
    backoff: () => 0.25,
    onnotice: () => undefined,
    // A transaction pooler gives each transaction another backend, where no prepared statement is.
    prepare: !/:6543\b|pgbouncer=true/.test(url),
    connection: { application_name: 'nexus', statement_timeout: 5000, lock_timeout: 5000, idle_in_transaction_session_timeout: 10_000 },
  };
  await migratePostgres(url, migrations);
  const client = postgres(url, { ...options, max: poolSize });
  const db = drizzle(prepared(client, guardedBegin(client)));
  return {
    kind: 'postgres',
    db,
    transaction: (work) => db.transaction(work),
    ping: async () => void (await client`select 1`),
    close: () => client.end({ timeout: 5 }),
  };
}

/** Drizzle's `migrate` takes no lock: of two servers that start at once one would fail. */
export async function migratePostgres(url: string, migrations: string): Promise<void> {
  const client = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => undefined });
  try {
    await client`select pg_advisory_lock(${MIGRATION_LOCK})`;
    await migrate(drizzle(client), { migrationsFolder: migrations });
    await client`select pg_advisory_unlock(${MIGRATION_LOCK})`;
  } finally {
    await client.end({ timeout: 5 });
  }
}

/**
 * Drizzle runs everything through `unsafe`, which does not prepare: two round trips a query, and no pipelining within a
 * transaction. Prepared, statements that are sent together travel together.
 */
function prepared<C extends postgres.Sql | postgres.TransactionSql>(client: C, begin?: unknown): C {
  const unsafe = (query: string, args?: never[], options?: object) => client.unsafe(query, args, { ...options, prepare: true });
  return new Proxy(client, {
    get: (target, name) => (name === 'unsafe' ? unsafe : name === 'begin' && begin ? begin : Reflect.get(target, name)),
  });
}

/**
 * postgres.js 3.4.9 runs a query of a transaction whose backend died on another connection, and commits it (its issue
 * 1216). Here every call on the handle is refused once `begin` has settled.
 */
function guardedBegin(client: postgres.Sql) {
  return async (work: (tx: postgres.TransactionSql) => Promise<unknown>) => {
    let over = false;
    const refuse = () => {
      if (over) throw Object.assign(new Error('This transaction is over.'), { code: 'TRANSACTION_OVER' });
    };
    const lost = Promise.withResolvers<never>();
    lost.promise.catch(() => undefined);
    const guarded = async (tx: postgres.TransactionSql) => {
      try {
        return await work(refusing(prepared(tx), refuse));
      } catch (error) {
        if (!over && !isConnectionLost(error)) throw error;
        // Its ROLLBACK, written to a connection that is gone, would end the process: `begin` is left waiting for it. Often
        // it fails by the close, but not when that came first.
        lost.reject(error);
        return new Promise<never>(() => undefined);
      }
    };
    try {
      return await within(TRANSACTION_MS, Promise.race([client.begin(guarded), lost.promise]));
    } finally {
      over = true;
    }
  };
}

const refusing = <T extends object>(target: T, refuse: () => void): T =>
  new Proxy(target, {
    get: (of, name) => {
      refuse();
      return Reflect.get(of, name);
    },
    apply: (of, self, args) => {
      refuse();
      return Reflect.apply(of as never, self, args);
    },
  });
