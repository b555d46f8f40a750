import { privateRedis } from '../../src/engines/private-redis.suite.ts';
import { eventually } from '../../test/harness.ts';
import { freePort } from '../../test/lib/restartable.ts';

const SLOTS = 16_384;

/** Three masters that know each other and share the slots. */
export async function startCluster() {
  const masters = await Promise.all([privateRedis(), privateRedis(), privateRedis()]);
  const settings = masters.map(() => [
    '--cluster-enabled',
    'yes',
    '--cluster-port',
    String(freePort()),
    '--cluster-node-timeout',
    '2000',
    '--cluster-require-full-coverage',
    'no',
  ]);
  const start = async (number: number) => masters[number]?.start({ empty: true, settings: settings[number] ?? [] });
  await Promise.all(masters.map((_, number) => start(number)));
  const [first] = masters;
  for (const [number, master] of masters.entries()) {
    const [from, to] = [number, number + 1].map((third) => Math.floor((third * SLOTS) / masters.length));
    await master.admin(async (admin) => {
      await admin.cluster('ADDSLOTSRANGE', from ?? 0, (to ?? 0) - 1);
      await admin.call('CLUSTER', 'MEET', '127.0.0.1', new URL(first.url).port, settings[0]?.[3] ?? '');
    });
  }
  const isWhole = (master: (typeof masters)[number]) =>
    master.admin(async (admin) => {
      const info = String(await admin.cluster('INFO'));
      return /cluster_state:ok/.test(info) && /cluster_known_nodes:3/.test(info);
    });
  const whole = () => eventually('the cluster is whole', async () => (await Promise.all(masters.map(isWhole))).every(Boolean), 30_000);
  await whole();

  return {
    masters,
    url: masters.map(({ url }) => url).join(','),
    /** Killed, and there again without its data; its slots it knows from its own notes. */
    async restart(number: number) {
      await masters[number]?.kill();
      await Bun.sleep(1000);
      await start(number);
      await whole();
    },
    async stopFor(number: number, ms: number) {
      masters[number]?.pause();
      await Bun.sleep(ms);
      masters[number]?.resume();
      await whole();
    },
    /** How many masters have keys of projects. */
    async holders(): Promise<number> {
      const sizes = await Promise.all(masters.map((master) => master.admin((admin) => admin.dbsize())));
      return sizes.filter((size) => size > 0).length;
    },
    async remove() {
      for (const master of masters) master.resume();
      await Promise.all(masters.map((master) => master.remove()));
    },
  };
}
