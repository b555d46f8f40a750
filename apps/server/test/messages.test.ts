import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import type { Client } from '@nexus/client';
import type { Message } from '@nexus/contract';
import { eventually, onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { createCrew, type Crew, eventsOf, raw, refusal } from './support.ts';

onEachEngineSet('messages', (set) => {
  let server: TestServer;
  let crew: Crew;

  beforeAll(async () => {
    server = await startServer(set);
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());

  const codeOf = async (call: Promise<unknown>) => (await refusal(call)).code;
  const payloads = (messages: Message[]) => messages.map(({ payload }) => payload);
  const inbox = async (client: Client, projectId: string, query: { session?: string; open?: 'true' } = {}) =>
    payloads((await client.listMessages({ projectId, query })).items);
  const heard = async (client: Client & { sessionId: string }, projectId: string) => {
    const { messages } = await client.heartbeat({ projectId, sessionId: client.sessionId });
    return messages;
  };
  /** A project with a session of the lead and one of the member that holds `f` and `ad-hoc.ts`. */
  async function scene() {
    const projectId = await crew.project();
    await readyFeature(crew.lead, projectId, 'f', ['src/f/']);
    const [lead, holder] = await Promise.all([terminal(crew.lead, projectId), terminal(crew.member, projectId)]);
    await holder.pickFeature({ projectId, slug: 'f' });
    await holder.claim({ projectId, body: { paths: ['ad-hoc.ts'] } });
    return { projectId, lead, holder };
  }

  test('reach a session, whoever holds a feature or a path, or the project', async () => {
    const { projectId, lead, holder } = await scene();
    const idle = await terminal(crew.member, projectId);
    const send = (to: Parameters<Client['sendMessage']>[0]['body']['to'], payload: string) =>
      lead.sendMessage({ projectId, body: { ...(to ? { to } : {}), payload } });
    await send({ session: holder.sessionId }, 'session');
    await send({ feature: 'f' }, 'feature');
    await send({ path: 'src/' }, 'path');
    const everyone = await send({ project: true }, 'project');
    expect(new Set(everyone.recipients.map(({ sessionId }) => sessionId))).toEqual(new Set([holder.sessionId, idle.sessionId]));
    expect(await inbox(crew.member, projectId, { session: holder.sessionId })).toEqual(['project', 'path', 'feature', 'session']);
    expect(await inbox(crew.member, projectId, { session: idle.sessionId })).toEqual(['project']);
    for (const to of [{ feature: 'nothing' }, { session: crypto.randomUUID() }]) expect(await codeOf(send(to, 'x'))).toBe('NOT_FOUND');
    expect(await codeOf(send({ path: 'free.ts' }, 'x'))).toBe('INVALID_STATUS_TRANSITION');
    await holder.endSession({ projectId, sessionId: holder.sessionId, body: { unlanded: ['f'] } });
    for (const to of [{ feature: 'f' }, { session: holder.sessionId }])
      expect(await codeOf(send(to, 'x'))).toBe('INVALID_STATUS_TRANSITION');
    expect(await codeOf(holder.sendMessage({ projectId, body: { to: { project: true }, payload: 'late' } }))).toBe('SESSION_LOST');
  });

  test('come with the heartbeats of their session until they are acknowledged, and with nobody else’s', async () => {
    const { projectId, lead, holder } = await scene();
    const other = await terminal(crew.member, projectId);
    const sent = await lead.sendMessage({
      projectId,
      body: { to: { session: holder.sessionId }, kind: 'question', payload: { may: 'I?' } },
    });
    const [first] = await heard(holder, projectId);
    expect(first).toMatchObject({
      id: sent.id,
      kind: 'question',
      payload: { may: 'I?' },
      from: { engineerName: 'Lead', sessionId: lead.sessionId },
    });
    expect(first?.recipients[0]?.toldAt).not.toBeNull();
    expect(payloads(await heard(holder, projectId))).toHaveLength(1);
    const batch = await crew.member.heartbeats({ body: { sessions: [other.sessionId, holder.sessionId] } });
    expect(batch.sessions.map(({ messages }) => messages.length)).toEqual([0, 1]);
    await holder.acknowledgeMessage({ projectId, messageId: sent.id, body: { session: holder.sessionId } });
    const again = await holder.acknowledgeMessage({ projectId, messageId: sent.id });
    expect(again.recipients[0]?.acknowledgedAt).not.toBeNull();
    expect(await heard(holder, projectId)).toEqual([]);
    expect(await inbox(crew.member, projectId, { open: 'true' })).toEqual([]);
    expect((await eventsOf(crew.lead, projectId)).filter(({ type }) => type === 'message_acknowledged')).toHaveLength(1);
  });

  test('that wait are told few at a time, the newest wave first, and all of them in the end', async () => {
    const { projectId, lead, holder } = await scene();
    for (let at = 0; at < 8; at += 1) await lead.sendMessage({ projectId, body: { to: { feature: 'f' }, payload: `${at}` } });
    const [one, two] = [await heard(holder, projectId), await heard(holder, projectId)];
    expect([one.length, two.length]).toEqual([5, 5]);
    expect(new Set(payloads([...one, ...two])).size).toBe(8);
  });

  test('of one thread belong together; a reply goes to who wrote, with or without a session', async () => {
    const { projectId, lead, holder } = await scene();
    const asked = await lead.sendMessage({ projectId, body: { to: { feature: 'f' }, payload: 'may I?' } });
    const reply = await holder.sendMessage({ projectId, body: { replyTo: asked.id, payload: 'yes' } });
    expect(reply).toMatchObject({ threadId: asked.id, replyTo: asked.id, recipients: [{ sessionId: lead.sessionId }] });
    expect(payloads(await heard(lead, projectId))).toEqual(['yes']);
    const person = await crew.lead.sendMessage({ projectId, body: { to: { feature: 'f' }, payload: 'from a person' } });
    expect(person.from.sessionId).toBeNull();
    await holder.sendMessage({ projectId, body: { replyTo: person.id, payload: 'to a person' } });
    expect(await inbox(crew.lead, projectId)).toEqual(['to a person', 'yes']);
    const thread = await crew.lead.listMessages({ projectId, query: { thread: asked.id } });
    expect(payloads(thread.items)).toEqual(['yes', 'may I?']);
  });

  test('directed ones are nobody else’s: not in the feed, in no list, under no id', async () => {
    const { projectId, lead, holder } = await scene();
    const { id } = await lead.sendMessage({ projectId, body: { to: { session: holder.sessionId }, payload: 'a secret word' } });
    expect(JSON.stringify(await eventsOf(crew.readonly, projectId))).not.toContain('a secret word');
    for (const query of [{}, { box: 'project' as const }, { box: 'sent' as const }, { thread: id }])
      expect((await crew.readonly.listMessages({ projectId, query })).items).toEqual([]);
    const replies = [id, crypto.randomUUID()].map((replyTo) =>
      raw(server, 'POST', `/api/projects/${projectId}/messages`, {
        key: crew.stranger.options.apiKey,
        body: { replyTo, payload: 'x' },
      }),
    );
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([404, 404]);
    const outsider = await server.engineer('Other member');
    await crew.lead.addMember({ projectId, body: { engineerId: outsider.engineer.id } });
    for (const messageId of [id, crypto.randomUUID()]) {
      expect(await codeOf(outsider.acknowledgeMessage({ projectId, messageId }))).toBe('NOT_FOUND');
      expect(await codeOf(outsider.sendMessage({ projectId, body: { replyTo: messageId, payload: 'x' } }))).toBe('NOT_FOUND');
    }
    const elsewhere = await crew.project();
    expect(await codeOf(crew.lead.acknowledgeMessage({ projectId: elsewhere, messageId: id }))).toBe('NOT_FOUND');
  });

  test('one whose deadline passes is told to its sender, not to its recipient', async () => {
    const { projectId, lead, holder } = await scene();
    const sent = await lead.sendMessage({ projectId, body: { to: { feature: 'f' }, payload: 'soon', deadlineSeconds: 60 } });
    expect([sent.overdue, Date.parse(sent.deadline ?? '') - Date.parse(sent.createdAt)]).toEqual([false, 60_000]);
    await server.deps.database.db.execute(sql`update messages set deadline = now() - interval '1 second' where id = ${sent.id}`);
    await eventually('its sender hears of it', async () =>
      (await heard(lead, projectId)).some(({ id, overdue }) => id === sent.id && overdue),
    );
    expect(await heard(holder, projectId)).toEqual([]);
    await holder.acknowledgeMessage({ projectId, messageId: sent.id });
    expect(await heard(lead, projectId)).toEqual([]);
  });

  test('a retry sends one; pages hold each once; what is too large is refused', async () => {
    const { projectId, lead, holder } = await scene();
    const send = () =>
      lead.sendMessage({ projectId, body: { to: { feature: 'f' }, payload: 'once' } }, { idempotencyKey: crypto.randomUUID() });
    const key = crypto.randomUUID();
    const twice = () => lead.sendMessage({ projectId, body: { to: { feature: 'f' }, payload: 'once' } }, { idempotencyKey: key });
    const sent = [await twice(), await twice(), ...(await Promise.all([send(), send(), send(), send()]))];
    expect(new Set(sent.map(({ id }) => id)).size).toBe(5);
    const seen: string[] = [];
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page: Awaited<ReturnType<Client['listMessages']>> = await holder.listMessages({
        projectId,
        query: { limit: 2, ...(cursor ? { cursor } : {}) },
      });
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    }
    expect(seen.toSorted()).toEqual([...new Set(sent.map(({ id }) => id))].toSorted());
    expect(await codeOf(lead.sendMessage({ projectId, body: { to: { project: true }, payload: 'x'.repeat(8192) } }))).toBe(
      'VALIDATION_ERROR',
    );
    expect(await codeOf(lead.sendMessage({ projectId, body: { payload: 'x' } }))).toBe('VALIDATION_ERROR');
  });

  test('are removed when nobody wrote in their thread for long, and found no more; one with a deadline ahead stays', async () => {
    const { projectId, lead, holder } = await scene();
    const send = (payload: string, more: { replyTo?: string; deadlineSeconds?: number } = {}) =>
      lead.sendMessage({ projectId, body: { ...(more.replyTo ? {} : { to: { session: holder.sessionId } }), payload, ...more } });
    await send('ibis alone');
    const asked = await send('ibis asked');
    await send('ibis due', { deadlineSeconds: 3600 });
    const { db } = server.deps.database;
    await db.execute(sql`update messages set created_at = now() - interval '91 days' where project_id = ${projectId}`);
    await send('ibis answered', { replyTo: asked.id });
    const kept = async () => payloads((await crew.lead.listMessages({ projectId, query: { box: 'sent' } })).items);
    const found = async () => (await crew.lead.search({ projectId, query: { q: 'ibis' } })).items.length;
    await server.deps.messages.prune({ keepDays: 92 });
    expect([(await kept()).length, await found()]).toEqual([4, 4]);
    await server.deps.messages.prune({ keepDays: 90 });
    expect(await kept()).toEqual(['ibis answered', 'ibis due', 'ibis asked']);
    expect(await found()).toBe(3);
  });
});
