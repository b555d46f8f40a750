import { expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import Redis from 'ioredis';
import { rows } from '../src/engines/database/database.ts';
import { eventually, onEachEngineSet, readyFeature, startServer, terminal } from './harness.ts';
import { raw, refusal } from './support.ts';

/** Everything in Redis, as text. */
async function redisText(url: string): Promise<string> {
  const redis = new Redis(url);
  const texts: string[] = [];
  for (const key of await redis.keys('*')) {
    const type = await redis.type(key);
    if (type === 'string') texts.push((await redis.get(key)) ?? '');
    if (type === 'hash') texts.push(JSON.stringify(await redis.hgetall(key)));
    if (type === 'zset') texts.push((await redis.zrange(key, '0', '-1')).join(' '));
    if (type === 'set') texts.push((await redis.smembers(key)).join(' '));
    texts.push(key);
  }
  redis.disconnect();
  return texts.join('\n');
}

onEachEngineSet('secrets', (set) => {
  test('no key, code or ticket is in a log line, a table, Redis, an event, a frame or a later answer', async () => {
    const heard: string[] = [];
    const server = await startServer(set, { LOG_LEVEL: 'trace' }, { onLog: (line) => heard.push(line) });
    const secrets: string[] = [];
    const issued = <T extends string>(key: T): T => {
      secrets.push(key.slice(16, 46));
      return key;
    };
    /** A client whose answers are looked through as well. */
    const listening = (apiKey: string) =>
      server.anonymous.with({
        apiKey: issued(apiKey),
        fetch: async (request) => {
          const response = await fetch(request);
          heard.push(await response.clone().text());
          return response;
        },
      });

    const { projectId, lead: registered } = await server.project();
    const lead = listening(registered.options.apiKey ?? '');
    const showing = server.anonymous.with({ apiKey: registered.options.apiKey });
    const key = await showing.createKey({ body: { name: 'k' } }, { idempotencyKey: 'k' });
    const turned = await showing.rotateKey({ keyId: key.id }, { idempotencyKey: 't' });
    const { code } = await showing.createInvitation({ projectId, body: {} }, { idempotencyKey: 'i' });
    issued(key.apiKey);
    const mine = listening(turned.apiKey);
    const { apiKey: guestKey } = await server.anonymous.register({ body: { name: 'G', email: 'g@example.org', invite: issued(code) } });
    const guest = listening(guestKey);

    const ticket = (await showing.wsTicket({ body: { projectId } })).ticket;
    secrets.push(ticket.slice(-20));
    const ws = new WebSocket(`${server.url.replace('http', 'ws')}/ws`, { headers: { authorization: `Bearer ${turned.apiKey}` } } as never);
    ws.addEventListener('message', ({ data }) => heard.push(String(data)));
    ws.addEventListener('open', () => ws.send(JSON.stringify({ type: 'join', projectId, after: '0' })));
    const byTicket = new WebSocket(`${server.url.replace('http', 'ws')}/ws`, [
      'nexus.v1',
      `nexus.ticket.${Buffer.from(ticket).toString('base64url')}`,
    ]);
    byTicket.addEventListener('message', ({ data }) => heard.push(String(data)));

    await Promise.all([lead.me(), mine.me(), mine.listKeys(), lead.listInvitations({ projectId }), guest.getProject({ projectId })]);
    await readyFeature(lead, projectId, 'f', ['f/']);
    const agent = await terminal(guest, projectId);
    await agent.pickFeature({ projectId, slug: 'f' });
    await lead.sendMessage({ projectId, body: { to: { feature: 'f' }, payload: 'hello' } });
    await agent.heartbeat({ projectId, sessionId: agent.sessionId });
    await refusal(guest.listInvitations({ projectId }));
    for (const bad of [`${turned.apiKey}x`, code, `${key.apiKey.slice(0, -1)}_`]) {
      const said = await raw(server, 'GET', '/api/auth/me', { key: bad, headers: { accept: 'application/problem+json' } });
      expect(said.status).toBe(401);
      heard.push(said.text);
    }
    await mine.revokeKey({ keyId: key.id });
    await lead.removeMember({ projectId, engineerId: (await guest.me()).id });
    heard.push(JSON.stringify(await lead.events({ projectId, query: { after: '0', limit: 1000 } })));
    // As a mistake would: the last net under every line.
    server.deps.log.error({ err: new Error(`with ${turned.apiKey} in it`), apiKey: key.apiKey, token: code }, 'a mistake');
    await eventually('frames came', () => heard.some((text) => text.includes('"member_removed"')));

    const tables = await rows<{ name: string }>(
      server.deps.database.db,
      sql`select table_name as name from information_schema.tables where table_schema = 'public'`,
    );
    for (const { name } of tables)
      for (const { text } of await rows<{ text: string }>(
        server.deps.database.db,
        sql`select t::text as text from ${sql.identifier(name)} t`,
      ))
        heard.push(text);
    const { redisUrl } = server.deps.config;
    if (redisUrl) heard.push(await redisText(redisUrl));
    const everything = heard.join('\n');
    expect(everything).toContain('a mistake');
    expect(everything.length).toBeGreaterThan(10_000);
    for (const secret of secrets) expect([secret.length >= 20, everything.includes(secret)]).toEqual([true, false]);
    ws.close();
    byTicket.close();
    await server.stop();
  });
});
