import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { SocketServerMessage } from '@nexus/contract';
import type { Database } from '../engines/database/database.ts';
import { notFound } from '../platform/errors.ts';
import { connect, principal, serveFeed } from './testing/server.ts';
import { createWorld, engines, range, until } from './testing/world.ts';

for (const engine of engines) {
  describe(engine.name, () => {
    let database: Database;
    const closers: (() => unknown)[] = [];
    beforeAll(async () => void (database = await engine.open()), 120_000);
    afterEach(async () => void (await Promise.all(closers.splice(0).map((close) => close()))));
    afterAll(() => database.close());

    async function start(options: Parameters<typeof serveFeed>[1] & { pollMs?: number } = {}) {
      const world = createWorld(database, options.pollMs === undefined ? {} : { pollMs: options.pollMs });
      const server = serveFeed(world, options);
      closers.push(
        () => server.stop(),
        () => world.feed.close(),
      );
      const project = await world.newProject();
      server.roles.set(`ann ${project.id}`, 'member').set(`bob ${project.id}`, 'member');
      return { ...world, ...server, project };
    }
    type Started = Awaited<ReturnType<typeof start>>;

    async function joined(server: Started, as = 'ann', after?: string, projectId = server.project.id) {
      const client = connect(server.url, { as });
      await until(() => client.of('connected').length === 1, 'connected');
      client.send({ type: 'join', projectId, ...(after === undefined ? {} : { after }) });
      await until(() => client.of('joined').length === 1, 'joined');
      return client;
    }

    /** Appends `total` events in changes of several sizes, slowly enough for the readers to be cut in between. */
    async function write(server: Started, total: number) {
      for (let seq = 0, size = 1; seq < total; size = (size % 17) + 1) {
        const count = Math.min(size, total - seq);
        await server.append(server.project.id, count);
        seq += count;
        await Bun.sleep(1);
      }
    }

    test('a socket that is cut 100 times while 5,000 events happen gets each exactly once, in order', async () => {
      const server = await start();
      const seqs: number[] = [];
      let cursor = '0';
      let cuts = 0;
      const follow = async () => {
        while (seqs.length < 5000) {
          const client = connect(server.url, { as: 'ann' });
          let left = cuts < 100 ? 1 + Math.floor(Math.random() * 49) : Infinity;
          client.onMessage = (message) => {
            if (message.type === 'connected') client.send({ type: 'join', projectId: server.project.id, after: cursor });
            if (!('seq' in message) || left <= 0) return;
            seqs.push(message.seq);
            cursor = `${message.epoch}.${message.seq}`;
            left -= 1;
            if (left === 0 || seqs.length === 5000) client.ws.terminate();
          };
          await until(() => client.closed !== undefined, 'it is cut', 60_000);
          if (left === 0) cuts += 1;
        }
      };
      await Promise.all([write(server, 5000), follow()]);
      expect(cuts).toBe(100);
      expect(seqs).toEqual(range(1, 5000));
    }, 120_000);

    test('an event stream that is cut 100 times while 5,000 events happen gets each exactly once, in order', async () => {
      const server = await start();
      const seqs: number[] = [];
      let lastId: string | undefined;
      let cuts = 0;
      const follow = async () => {
        while (seqs.length < 5000) {
          const cut = new AbortController();
          let left = cuts < 100 ? 1 + Math.floor(Math.random() * 49) : Infinity;
          const headers: Record<string, string> = lastId === undefined ? {} : { 'last-event-id': lastId };
          const answer = await fetch(`http://${server.url}/${server.project.id}?after=0`, { headers, signal: cut.signal });
          let rest = '';
          try {
            for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
              const blocks = (rest + chunk).split('\n\n');
              rest = blocks.pop() ?? '';
              for (const block of blocks) {
                const id = /^id: (.*)$/m.exec(block)?.[1];
                if (id === undefined || left <= 0) continue;
                seqs.push(Number(id.split('.')[1]));
                lastId = id;
                left -= 1;
              }
              if (left <= 0 || seqs.length === 5000) break;
            }
          } finally {
            cut.abort();
            if (left <= 0) cuts += 1;
          }
        }
      };
      await Promise.all([write(server, 5000), follow()]);
      expect(cuts).toBe(100);
      expect(seqs).toEqual(range(1, 5000));
    }, 120_000);

    test('joining tells the cursor before any event, makes no session, and says what it did with a bad cursor', async () => {
      const server = await start();
      const { id, epoch } = server.project;
      await server.append(id, 3);
      const client = await joined(server, 'ann', `${epoch}.1`);
      await until(() => client.heard.length === 4, 'the events came');
      expect(client.heard.map(({ type }) => type)).toEqual(['connected', 'joined', 'files_claimed', 'files_claimed']);
      expect(client.of('joined')).toEqual([{ type: 'joined', sessionId: null, projectId: id, cursor: `${epoch}.1` }]);
      const stale = await joined(server, 'ann', `${epoch}.99`);
      await until(() => stale.heard.length === 3, 'the reset came');
      expect(SocketServerMessage.parse(stale.heard[2])).toEqual({ type: 'reset', projectId: id, cursor: `${epoch}.3` });
    });

    test('one socket follows several projects, and leaves one or all', async () => {
      const server = await start();
      const other = await server.newProject();
      server.roles.set(`ann ${other.id}`, 'readonly');
      const client = await joined(server);
      client.send({ type: 'join', projectId: other.id });
      await until(() => client.of('joined').length === 2, 'joined both');
      await Promise.all([server.append(server.project.id), server.append(other.id)]);
      await until(() => client.of('files_claimed').length === 2, 'events of both came');
      client.send({ type: 'leave', projectId: other.id });
      await until(() => client.of('left').length === 1, 'left one');
      await Promise.all([server.append(server.project.id), server.append(other.id)]);
      await until(() => client.of('files_claimed').length === 3, 'the other one goes on');
      client.send({ type: 'leave' });
      await until(() => client.of('left').length === 2, 'left all');
      await server.append(server.project.id);
      client.send({ type: 'heartbeat' });
      await until(() => client.of('heartbeat').length === 1, 'the heartbeat is answered');
      expect(client.of('files_claimed')).toHaveLength(3);
    });

    test('an unknown and a foreign project answer alike, and the socket stays', async () => {
      const server = await start();
      const foreign = await server.newProject();
      const client = await joined(server);
      for (const projectId of [crypto.randomUUID(), foreign.id, 'x']) client.send({ type: 'join', projectId });
      await until(() => client.of('error').length === 3, 'all are refused');
      const { code, message } = notFound();
      for (const error of client.of('error')) expect(error).toEqual({ type: 'error', code, message });
      await server.append(foreign.id);
      await server.append(server.project.id);
      await until(() => client.of('files_claimed').length === 1, 'it still follows its own');
    });

    test('what is no message is told so, and the socket stays', async () => {
      const server = await start();
      const client = await joined(server);
      for (const bad of ['{', '', '[]', '{"type":"publish"}', '{"type":"join"}', `{"type":"join","projectId":"x","after":"yesterday"}`])
        client.send(bad);
      await until(() => client.of('error').length === 6, 'all are refused');
      for (const error of client.of('error')) expect(error).toMatchObject({ code: 'VALIDATION_ERROR' });
      await server.append(server.project.id);
      await until(() => client.of('files_claimed').length === 1, 'it goes on');
    });

    test('a revoked key closes its sockets with 4401, a removed member theirs with 4403, at once or with the next check', async () => {
      const server = await start({ recheckMs: 100 });
      const [ann, bob] = [await joined(server, 'ann'), await joined(server, 'bob')];
      server.validKeys.delete('key-ann');
      server.sockets.keyChanged('key-ann');
      await until(() => ann.closed === 4401, 'ann is out');
      server.validKeys.add('key-ann');
      server.sockets.removed(server.project.id, 'id-bob');
      await until(() => bob.closed === 4403, 'bob is out');
      const [again, bobAgain] = [await joined(server, 'ann'), await joined(server, 'bob')];
      server.validKeys.delete('key-ann');
      server.roles.delete(`bob ${server.project.id}`);
      await until(() => again.closed === 4401 && bobAgain.closed === 4403, 'both are out');
    });

    test('without a key, from a foreign page, or as plain HTTP there is no socket', async () => {
      const server = await start();
      const ask = (headers: Record<string, string>) =>
        fetch(`http://${server.url}/ws`, {
          headers: {
            connection: 'upgrade',
            upgrade: 'websocket',
            'sec-websocket-version': '13',
            'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
            ...headers,
          },
        });
      const status = async (headers: Record<string, string>) => (await ask(headers)).status;
      expect(await status({})).toBe(401);
      expect(await status({ authorization: 'Bearer eve' })).toBe(401);
      expect(await status({ authorization: 'Bearer ann', origin: 'https://evil.example.test' })).toBe(403);
      expect(await status({ authorization: 'Bearer ann', origin: 'null' })).toBe(403);
      expect((await fetch(`http://${server.url}/ws`, { headers: { authorization: 'Bearer ann' } })).status).toBe(400);
      for (const origin of ['https://app.example.test', `http://${server.url}`]) {
        const client = connect(server.url, { as: 'ann', headers: { origin } });
        await until(() => client.of('connected').length === 1, 'connected');
      }
    });

    test('a browser connects with a ticket once, and the ticket is not echoed', async () => {
      const server = await start();
      const { ticket } = server.tickets.issue(principal('ann'), server.project.id);
      const protocols = ['nexus.v1', `nexus.ticket.${Buffer.from(ticket).toString('base64url')}`];
      const client = connect(server.url, { protocols });
      await until(() => client.of('connected').length === 1, 'connected');
      expect(client.ws.protocol).toBe('nexus.v1');
      client.send({ type: 'join', projectId: server.project.id });
      await until(() => client.of('joined').length === 1, 'joined');
      const second = connect(server.url, { protocols });
      await until(() => second.closed !== undefined, 'the second is refused');
      expect(second.heard).toEqual([]);
    });

    test('a key has only so many sockets, and a project so many followers', async () => {
      const server = await start({ perKey: 2, perProject: 3 });
      await joined(server);
      await joined(server);
      const third = connect(server.url, { as: 'ann' });
      await until(() => third.closed === 4429, 'the third is closed');
      await joined(server, 'bob');
      const late = connect(server.url, { as: 'bob' });
      await until(() => late.of('connected').length === 1, 'connected');
      late.send({ type: 'join', projectId: server.project.id });
      await until(() => late.of('error').length === 1, 'the project is full');
      expect(late.of('error')[0]).toMatchObject({ code: 'RATE_LIMITED' });
    });

    test('a client that went is no reader any more', async () => {
      const server = await start();
      const [client, cut] = [await joined(server), new AbortController()];
      const stream = await fetch(`http://${server.url}/${server.project.id}`, { signal: cut.signal });
      const whole = stream.text().catch(() => 'cut');
      await until(() => server.feed.readers() === 2, 'both read');
      client.ws.terminate();
      cut.abort();
      await until(() => server.feed.readers() === 0, 'both are gone');
      expect(await whole).toBe('cut');
    });

    test('a shutdown ends sockets with 1001 and event streams without a word', async () => {
      const server = await start();
      const client = await joined(server);
      const stream = await fetch(`http://${server.url}/${server.project.id}`);
      const whole = stream.text();
      server.sockets.closeAll();
      server.feed.close();
      await until(() => client.closed === 1001, 'the socket is closed');
      expect(await whole).toBe('retry: 1000\n\n');
      expect((await fetch(`http://${server.url}/ws`)).status).toBe(503);
    });
  });
}
