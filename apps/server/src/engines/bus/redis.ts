import { connectRedis, firstAttempt } from '../redis.ts';
import type { Bus, BusTopic } from './bus.ts';
import { createListeners } from './listeners.ts';

const topics: BusTopic[] = ['feed', 'auth'];
const prefix = 'nx:';

/**
 * The bus of all replicas. This process is told directly, so it misses nothing while Redis is away; the others miss what is
 * published meanwhile. Starts without Redis as well, and reaches the others once it is there.
 */
export async function createRedisBus({
  url,
  onError = () => {},
}: {
  url: string;
  /** Gets each new reason why Redis cannot be used, and what a listener throws. */
  onError?: (error: unknown) => void;
}): Promise<Bus> {
  const listeners = createListeners({ onError });
  const sender = connectRedis({ url, onError });
  // A connection that subscribes can do nothing else.
  const receiver = connectRedis({ url, onError: () => {} });
  const origin = crypto.randomUUID();
  let subscribed = false;

  async function subscribe() {
    try {
      await receiver.subscribe(...topics.map((topic) => prefix + topic));
      subscribed = true;
    } catch (error) {
      onError(error);
      // A connection that closed meanwhile subscribes when it is ready again; one that was refused stays, and deaf.
      setTimeout(() => receiver.status === 'ready' && void subscribe(), 1000).unref();
    }
  }

  receiver.on('close', () => (subscribed = false));
  receiver.on('message', (channel: string, text: string) => {
    const topic = topics.find((each) => prefix + each === channel);
    const [from, message] = split(text);
    if (topic && from !== origin) listeners.deliver(topic, message);
  });
  await Promise.all([firstAttempt(sender), firstAttempt(receiver)]);
  if (receiver.status === 'ready') await subscribe();
  receiver.on('ready', () => void subscribe());

  return {
    publish(topic, message) {
      listeners.deliver(topic, message);
      sender.publish(prefix + topic, `${origin} ${message}`).catch(() => {});
    },

    subscribe: listeners.add,

    async ping() {
      await Promise.all([sender.ping(), receiver.ping()]);
      if (!subscribed) throw new Error('The bus is not subscribed at Redis');
    },

    async close() {
      listeners.clear();
      sender.disconnect();
      receiver.disconnect();
    },
  };
}

const split = (text: string): [string, string] => [text.slice(0, text.indexOf(' ')), text.slice(text.indexOf(' ') + 1)];
