import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import postgres from 'postgres';
import { canRun, createTestDatabase, eventually, migrations } from '../../../test/harness.ts';
import type { Database } from './database.ts';
import { openPostgres } from './postgres.ts';

const POOL = 4;

describe.skipIf(!canRun('team'))('Postgres, when statements fail and connections end', () => {
  let own: Awaited<ReturnType<typeof createTestDatabase>>;
  let database: Database;

  beforeAll(async () => {
    own = await createTestDatabase();
    database = await openPostgres({ url: own.url, migrations, poolSize: POOL });
  }, 60_000);

  afterAll(async () => {
    await database.close();
    await own.drop();
  });

  /** Every connection of the pool at once: one that never works again would keep its query waiting. */
  const allWork = () =>
    eventually(
      'every connection of the pool works',
      async () => {
        const asks = Array.from({ length: POOL }, () => database.transaction((tx) => tx.execute(sql`select pg_sleep(0.05)`)));
        const answers = await Promise.allSettled(asks);
        return answers.every(({ status }) => status === 'fulfilled');
      },
      20_000,
    );

  test('a statement that fails after its first rows leaves none of them in the next answer', async () => {
    const client = postgres(own.url, { max: 1 });
    await client`select 6 / (3 - i) from generate_series(1, 5) i`.catch(() => undefined);
    // The driver without its patch answers two empty places before the row.
    expect([...(await client`select 1 as one`)]).toEqual([{ one: 1 }]);
    await client.end();
  });

  test('a connection that is kept and whose backend ended refuses each statement, and ends nobody', async () => {
    const client = postgres(own.url, { max: 1, connect_timeout: 5, backoff: () => 0.05 });
    const kept = await client.reserve();
    const [row] = await kept<{ pid: number }[]>`select pg_backend_pid() as pid`;
    const admin = postgres(own.url, { max: 1 });
    await admin`select pg_terminate_backend(${row?.pid ?? 0})`;
    await admin.end();
    // The driver without its patch ends the process at the second of them.
    for (let time = 0; time < 2; time += 1) expect(await kept`select 1`.catch((error: unknown) => error)).toBeInstanceOf(Error);
    kept.release();
    await client.end({ timeout: 1 });
  });

  test('a backend that is ended under its transaction refuses the rest of it, and its ROLLBACK ends nobody', async () => {
    const late = database.transaction(async (tx) => {
      await tx.execute(sql`select pg_terminate_backend(pg_backend_pid())`).catch(() => undefined);
      await tx.execute(sql`select 1`).catch(() => undefined);
      await tx.execute(sql`select 2`);
    });
    expect(await late.catch((error: unknown) => error instanceof Error)).toBe(true);
    await allWork();
  }, 60_000);
});
