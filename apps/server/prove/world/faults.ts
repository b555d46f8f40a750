import type { Random } from '../lib/random.ts';
import { GRACE, TTL, type World } from './world.ts';

/** Something that goes wrong; resolves when it has come right again. */
type Fault = (world: World, random: Random) => Promise<void>;

const restartRedis =
  (options: { empty?: boolean }): Fault =>
  async ({ redis }, random) => {
    if (!options.empty) await redis.primary().admin((admin) => admin.save());
    await Bun.sleep(random.below(500));
    await redis.primary().kill();
    await Bun.sleep(random.below(1500));
    await redis.primary().start(options);
  };

/** Every project's clock, as Redis keeps it: what a step of the machine's clock looks like to it. */
const leap =
  (ms: number): Fault =>
  async ({ redis }) => {
    await redis.primary().admin(async (admin) => {
      for (const key of await admin.keys('nx:*:meta')) await admin.hincrby(key, 'raw', -ms);
    });
  };

const SECOND = 1000;
const HOUR = 3_600_000;

export const faults: Record<string, Fault> = {
  'server killed': async ({ servers }, random) => {
    const server = random.pick(servers);
    await server.kill();
    await Bun.sleep(random.below(2 * SECOND));
    await server.start();
  },
  'server stopped for up to three leases': async ({ servers }, random) => {
    const server = random.pick(servers);
    server.signal('SIGSTOP');
    await Bun.sleep(SECOND + random.below(3 * TTL * SECOND));
    server.signal('SIGCONT');
  },
  'Redis flushed': async ({ redis }) => {
    await redis.primary().admin((admin) => admin.flushall());
  },
  'Redis killed, empty again': restartRedis({ empty: true }),
  'Redis killed, back with its last snapshot': restartRedis({}),
  'Redis set back to an older state': async ({ redis }, random) => {
    const primary = redis.primary();
    const old = await primary.admin(async (admin) => {
      const keys = await admin.keys('nx:*');
      return Promise.all(keys.map(async (key) => ({ key, value: await admin.dumpBuffer(key) })));
    });
    await Bun.sleep(SECOND + random.below(2 * SECOND));
    await primary.admin(async (admin) => {
      const all = admin.multi().flushall();
      for (const { key, value } of old) if (value) all.restore(key, 0, value);
      await all.exec();
    });
  },
  'Redis stopped for longer than a lease': async ({ redis }, random) => {
    redis.primary().pause();
    await Bun.sleep((TTL + GRACE) * SECOND + 500 + random.below(SECOND));
    redis.primary().resume();
  },
  'a late replica promoted': ({ redis }, random) => redis.failOver(random.below(2 * SECOND)),
  'connections to Redis cut': async ({ redis }) => redis.proxy.cut(),
  'the way to Redis silent': async ({ redis }, random) => {
    redis.proxy.stall(true);
    await Bun.sleep(random.below(3 * SECOND));
    redis.proxy.stall(false);
  },
  'the clock an hour on': leap(HOUR),
  'the clock an hour back': leap(-HOUR),
  'Postgres restarted at once': async ({ pg }) => {
    await pg.crash();
    await pg.start();
  },
  'transactions ended': async ({ pg }) => {
    await pg.asks(async (sql) => {
      for (let time = 0; time < 20; time += 1) {
        await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'nexus' and xact_start is not null`;
        await Bun.sleep(20);
      }
    });
  },
  'connections to Postgres cut': async ({ toPostgres }) => toPostgres.cut(),
  'the way to Postgres silent': async ({ toPostgres }, random) => {
    toPostgres.stall(true);
    await Bun.sleep(random.below(3 * SECOND));
    toPostgres.stall(false);
  },
  'the word of a commit lost': async ({ toPostgres }) => {
    await Promise.race([toPostgres.loseReply('COMMIT\0'), Bun.sleep(SECOND)]);
    toPostgres.loseNothing();
  },
  'connections of agents cut': async ({ toServers }) => {
    for (const proxy of toServers) proxy.cut();
  },
  'agents stopped for longer than their lease': async ({ working }, random) => {
    const { child } = random.pick(working());
    child.kill('SIGSTOP');
    await Bun.sleep((TTL + GRACE + 2) * SECOND + random.below(SECOND));
    child.kill('SIGCONT');
  },
  'agents killed': async ({ working, hire }, random) => {
    random.pick(working()).child.kill('SIGKILL');
    hire();
  },
};
