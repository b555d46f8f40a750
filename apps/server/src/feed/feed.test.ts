import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { FeedEvent } from '@nexus/contract';
import { sql } from 'drizzle-orm';
import type { Database } from '../engines/database/database.ts';
import { AppError } from '../platform/errors.ts';
import { createTestSink, createWorld, engines, range, until, type World } from './testing/world.ts';

for (const engine of engines) {
  describe(engine.name, () => {
    let database: Database;
    const worlds: World[] = [];
    const world = (options = {}) => {
      const made = createWorld(database, options);
      worlds.push(made);
      return made;
    };
    const follow = async ({ feed }: World, projectId: string, after: string | undefined, sink = createTestSink()) => {
      const subscription = await feed.subscribe(projectId, after, sink);
      subscription.drain();
      return { ...subscription, sink };
    };
    beforeAll(async () => void (database = await engine.open()), 120_000);
    afterEach(() => worlds.splice(0).forEach(({ feed }) => feed.close()));
    afterAll(() => database.close());

    test('a reader gets every event after its cursor, in order, whether it is history or happens now', async () => {
      const w = world();
      const { id, epoch } = await w.newProject();
      await w.append(id, 700);
      const { sink } = await follow(w, id, `${epoch}.3`);
      for (let each = 0; each < 30; each += 1) await w.append(id, 10);
      await until(() => sink.got.length === 997, 'all events came');
      expect(sink.seqs()).toEqual(range(4, 1000));
    });

    test('an event is what the contract says, with its own fields at the top level where they do not collide', async () => {
      const w = world();
      const { id, epoch } = await w.newProject();
      const { sink } = await follow(w, id, undefined);
      await w.append(id);
      await until(() => sink.got.length === 1, 'the event came');
      const event = FeedEvent.parse(JSON.parse(sink.got[0]?.json ?? ''));
      expect(event).toMatchObject({
        type: 'files_claimed',
        seq: 1,
        epoch,
        feature: null,
        paths: ['src/a.ts'],
        data: { paths: ['src/a.ts'] },
      });
      expect(new Date(event.at).toISOString()).toBe(event.at);
      expect((await w.feed.page(id, '0', 10)).items).toEqual([event]);
    });

    test('without a cursor it starts at the head, with 0 at the oldest event kept', async () => {
      const w = world();
      const { id, epoch } = await w.newProject();
      await w.append(id, 20);
      await database.db.execute(sql`delete from events where project_id = ${id} and seq <= 5`);
      const live = await follow(w, id, undefined);
      const all = await follow(w, id, '0');
      expect([live.cursor, all.cursor]).toEqual([`${epoch}.20`, `${epoch}.5`]);
      await w.append(id);
      await until(() => all.sink.got.length === 16 && live.sink.got.length === 1, 'both have the last');
      expect(live.sink.seqs()).toEqual([21]);
      expect(all.sink.seqs()).toEqual(range(6, 21));
    });

    test('a cursor of another epoch, from ahead, or older than what is kept is reset to the head, then live', async () => {
      const w = world();
      const { id, epoch } = await w.newProject();
      await w.append(id, 20);
      await database.db.execute(sql`delete from events where project_id = ${id} and seq <= 10`);
      for (const after of [`${crypto.randomUUID()}.15`, `${epoch}.21`, `${epoch}.9`]) {
        const { sink, close } = await follow(w, id, after);
        await until(() => sink.got.length === 1, 'the reset came');
        expect(JSON.parse(sink.got[0]?.json ?? '')).toEqual({ type: 'reset', projectId: id, cursor: `${epoch}.20` });
        expect(await w.feed.page(id, after, 10)).toEqual({ items: [], cursor: `${epoch}.20`, hasMore: false, reset: true });
        close();
      }
      const { sink } = await follow(w, id, `${epoch}.10`);
      await until(() => sink.got.length === 10, 'the oldest cursor kept still works');
      const late = await follow(w, id, `${epoch}.1`);
      await w.append(id);
      await until(() => late.sink.got.length === 2, 'it goes on live');
      expect(late.sink.got.map(({ type, seq }) => [type, seq])).toEqual([
        ['reset', 20],
        ['files_claimed', 21],
      ]);
    });

    test('a history that changes under a reader resets it', async () => {
      const w = world({ pollMs: 20 });
      const { id } = await w.newProject();
      await w.append(id, 20);
      const { sink } = await follow(w, id, undefined);
      const epoch = crypto.randomUUID();
      await database.db.execute(sql`delete from events where project_id = ${id} and seq > 15`);
      await database.db.execute(sql`update ledgers set ledger_id = ${epoch}, event_seq = 15 where project_id = ${id}`);
      await until(() => sink.got.length === 1, 'the reset came');
      await w.append(id, 2);
      await until(() => sink.got.length === 3, 'events of the new history came');
      expect(sink.got.map(({ cursor }) => cursor)).toEqual([15, 16, 17].map((seq) => `${epoch}.${seq}`));
    });

    test('history that is deleted before a slow reader came to it resets that reader', async () => {
      const w = world();
      const { id, epoch } = await w.newProject();
      await w.append(id, 600);
      const sink = createTestSink();
      sink.room = 1;
      const { drain } = await follow(w, id, '0', sink);
      await until(() => sink.got.length === 1, 'it has the first');
      await database.db.execute(sql`delete from events where project_id = ${id} and seq <= 400`);
      sink.room = Infinity;
      drain();
      await until(() => sink.got.at(-1)?.type === 'reset', 'it is reset');
      expect(sink.got.at(-1)?.cursor).toBe(`${epoch}.600`);
      const before = sink.seqs().slice(0, -1);
      expect(before).toEqual(range(1, before.length));
    });

    test('an event whose nudge was lost comes with the next poll', async () => {
      const w = world({ pollMs: 50 });
      const { id } = await w.newProject();
      const { sink } = await follow(w, id, undefined);
      w.bus.lossy = true;
      await w.append(id, 3);
      await until(() => sink.got.length === 3, 'the poll found them', 1000);
    });

    test('a reader that takes nothing delays no other, costs a page at most, and misses nothing', async () => {
      const w = world();
      const { id } = await w.newProject();
      const slow = createTestSink();
      slow.room = 5;
      const stalled = await follow(w, id, undefined, slow);
      const { sink } = await follow(w, id, undefined);
      for (let each = 0; each < 60; each += 1) await w.append(id, 10);
      await until(() => sink.got.length === 600, 'the other has all');
      expect([slow.got.length, slow.asked]).toEqual([5, 5]);
      slow.room = 0;
      stalled.drain();
      await Bun.sleep(20);
      slow.room = Infinity;
      stalled.drain();
      await until(() => slow.got.length === 600, 'it has all too');
      expect(slow.seqs()).toEqual(range(1, 600));
    });

    test('a reader that takes nothing for too long is closed with 4008', async () => {
      let clock = 0;
      const w = world({ pollMs: 10, now: () => clock });
      const { id } = await w.newProject();
      const stuck = createTestSink();
      stuck.room = 1;
      await follow(w, id, undefined, stuck);
      const { sink } = await follow(w, id, undefined);
      await w.append(id, 2);
      await until(() => sink.got.length === 2 && stuck.got.length === 1, 'both are served');
      clock = 29_000;
      await Bun.sleep(50);
      expect(stuck.closed).toBeUndefined();
      clock = 31_000;
      await until(() => stuck.closed === 4008, 'the stuck one is closed');
      expect(sink.closed).toBeUndefined();
    });

    test('many nudges make few queries', async () => {
      let reads = 0;
      const counted = {
        ...database,
        db: new Proxy(database.db, {
          get: (db, name) => (name === 'execute' ? (query: never) => ((reads += 1), db.execute(query)) : Reflect.get(db, name)),
        }),
      };
      const w = createWorld(counted, { pollMs: 60_000 });
      worlds.push(w);
      const { id } = await w.newProject();
      const { sink } = await follow(w, id, undefined);
      await follow(w, id, undefined);
      w.bus.lossy = true;
      await w.append(id, 5);
      w.bus.lossy = false;
      reads = 0;
      for (let each = 0; each < 100; each += 1) w.feed.committed(id, 5);
      await until(() => sink.got.length === 5, 'they came');
      expect(reads).toBeLessThanOrEqual(2);
    });

    test('while the database is away nothing is sent and nothing is lost', async () => {
      let away = false;
      const broken = {
        ...database,
        db: new Proxy(database.db, {
          get: (db, name) =>
            name === 'execute' && away
              ? () => Promise.reject(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }))
              : Reflect.get(db, name),
        }),
      };
      const reader = createWorld(broken, { pollMs: 20 });
      const writer = world();
      worlds.push(reader);
      const { id } = await writer.newProject();
      await writer.append(id, 300);
      const sink = createTestSink();
      const { drain } = await reader.feed.subscribe(id, '0', sink);
      away = true;
      drain();
      await Bun.sleep(60);
      expect(sink.got).toHaveLength(0);
      away = false;
      await until(() => sink.got.length === 300, 'it went on without a new event');
      away = true;
      await writer.append(id, 5);
      reader.feed.committed(id, 305);
      await Bun.sleep(60);
      expect(sink.got).toHaveLength(300);
      away = false;
      await until(() => sink.got.length === 305, 'it went on');
      expect(sink.seqs()).toEqual(range(1, 305));
    });

    test('an unknown project is not found, and leaves nothing behind', async () => {
      const w = world();
      for (const id of [crypto.randomUUID(), 'no-uuid']) {
        const refused = await w.feed.subscribe(id, '0', createTestSink()).catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(AppError);
        expect((refused as AppError).code).toBe('NOT_FOUND');
      }
    });

    test('pages lead from the first event to the last by their cursors', async () => {
      const w = world();
      const { id, epoch } = await w.newProject();
      await w.append(id, 25);
      const seqs: number[] = [];
      for (let after = '0', more = true; more;) {
        const page = await w.feed.page(id, after, 10);
        seqs.push(...page.items.map(({ seq }) => seq));
        ({ cursor: after, hasMore: more } = page);
      }
      expect(seqs).toEqual(range(1, 25));
      expect(await w.feed.page(id, undefined, 10)).toEqual({ items: [], cursor: `${epoch}.25`, hasMore: false, reset: false });
    });
  });
}
