import { privateRedis, type PrivateRedis } from '../../src/engines/private-redis.suite.ts';
import { eventually } from '../../test/harness.ts';
import { type Proxy, startProxy } from './proxy.ts';

/** A Redis behind one address, with a replica that can take its place, as late as it is by then. */
export async function startRedises() {
  let primary = await privateRedis();
  let replica = await privateRedis();
  await primary.start();
  await replica.start({ settings: following(primary) });
  const proxy: Proxy = await startProxy(portOf(primary));

  return {
    proxy,
    url: `redis://127.0.0.1:${proxy.port}`,
    primary: () => primary,
    /** The primary dies after the replica has heard nothing of it for `lagMs`; the replica takes over with what it has. */
    async failOver(lagMs: number) {
      replica.pause();
      await Bun.sleep(lagMs);
      await primary.kill();
      replica.resume();
      await replica.admin((redis) => redis.replicaof('NO', 'ONE'));
      proxy.moveTo(portOf(replica));
      [primary, replica] = [replica, primary];
      await replica.start({ empty: true, settings: following(primary) });
    },
    /** Whatever was done to it, it answers again. */
    async mend() {
      primary.resume();
      replica.resume();
      proxy.stall(false);
      proxy.refuse(false);
      if (!(await answers(primary))) await primary.start({ empty: true });
      await eventually('Redis answers', () => answers(primary), 20_000);
    },
    async remove() {
      await proxy.stop();
      primary.resume();
      replica.resume();
      await Promise.all([primary.remove(), replica.remove()]);
    },
  };
}

const portOf = ({ url }: PrivateRedis) => Number(new URL(url).port);
const following = (primary: PrivateRedis) => ['--replicaof', '127.0.0.1', String(portOf(primary))];

const answers = (redis: PrivateRedis): Promise<boolean> =>
  Promise.race([
    redis
      .admin((admin) => admin.ping())
      .then(
        () => true,
        () => false,
      ),
    Bun.sleep(1000).then(() => false),
  ]);
