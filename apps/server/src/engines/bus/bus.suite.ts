import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Bus } from './bus.ts';

/** The specification of a bus. `create` opens two ends of it: two replicas, or one bus twice where there can be only one. */
export function busSuite(name: string, create: () => Promise<[Bus, Bus]>) {
  describe(name, () => {
    let here: Bus;
    let there: Bus;

    beforeAll(async () => {
      [here, there] = await create();
    });
    afterAll(() => Promise.all([here.close(), there.close()]));

    /** Collects what a listener hears until `until` messages have come. */
    function collect(bus: Bus, topic: 'feed' | 'auth' = 'feed') {
      const heard: string[] = [];
      const stop = bus.subscribe(topic, (message) => heard.push(message));
      return { heard, stop, until: (count: number) => waitFor(() => heard.length >= count) };
    }

    test('a message reaches every subscriber of its topic, here and there', async () => {
      const ends = [collect(here), collect(here), collect(there)];
      here.publish('feed', 'p1 7');
      await Promise.all(ends.map((end) => end.until(1)));
      expect(ends.map((end) => end.heard)).toEqual([['p1 7'], ['p1 7'], ['p1 7']]);
      for (const end of ends) end.stop();
    });

    test('a message reaches no other topic', async () => {
      const auth = collect(there, 'auth');
      const feed = collect(there);
      here.publish('auth', 'key k1');
      here.publish('feed', 'p1 8');
      await Promise.all([auth.until(1), feed.until(1)]);
      expect(auth.heard).toEqual(['key k1']);
      expect(feed.heard).toEqual(['p1 8']);
      auth.stop();
      feed.stop();
    });

    test('messages come in the order they were published, once', async () => {
      const ends = [collect(here), collect(there)];
      const sent = Array.from({ length: 200 }, (_, i) => `p1 ${i}`);
      for (const message of sent) here.publish('feed', message);
      await Promise.all(ends.map((end) => end.until(200)));
      for (const end of ends) {
        expect(end.heard).toEqual(sent);
        end.stop();
      }
    });

    test('a message may be empty, long and of any letters', async () => {
      const end = collect(there);
      const sent = ['', ' ', 'ß 日本 👩‍💻', 'x'.repeat(100_000), 'two\nlines'];
      for (const message of sent) here.publish('feed', message);
      await end.until(sent.length);
      expect(end.heard).toEqual(sent);
      end.stop();
    });

    test('a subscription that was ended hears nothing more, and can be ended again', async () => {
      const ended = collect(here);
      ended.stop();
      ended.stop();
      const other = collect(here);
      here.publish('feed', 'p1 9');
      await other.until(1);
      expect(ended.heard).toEqual([]);
      other.stop();
    });

    test('one listener subscribed twice hears twice, until one of the two is ended', async () => {
      const heard: string[] = [];
      const listener = (message: string) => void heard.push(message);
      const stops = [here.subscribe('feed', listener), here.subscribe('feed', listener)];
      here.publish('feed', 'a');
      await waitFor(() => heard.length === 2);
      stops[0]?.();
      here.publish('feed', 'b');
      await waitFor(() => heard.length === 3);
      stops[1]?.();
      expect(heard).toEqual(['a', 'a', 'b']);
    });

    test('a listener that throws harms neither the publisher nor the others', async () => {
      const stop = here.subscribe('feed', () => {
        throw new Error('broken listener');
      });
      const other = collect(here);
      here.publish('feed', 'p1 10');
      await other.until(1);
      stop();
      other.stop();
    });

    test('a listener runs after the publisher has gone on', async () => {
      const end = collect(here);
      here.publish('feed', 'p1 11');
      expect(end.heard).toEqual([]);
      await end.until(1);
      end.stop();
    });

    test('publishing without any subscriber is nothing', () => {
      here.publish('auth', 'nobody');
    });

    test('it answers a ping', async () => {
      await here.ping();
    });
  });
}

export async function waitFor(condition: () => boolean) {
  for (const started = performance.now(); !condition(); await Bun.sleep(1)) {
    if (performance.now() - started > 5_000) throw new Error('Waited 5 s in vain');
  }
}
