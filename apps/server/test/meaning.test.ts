import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { SearchHit } from '@nexus/contract';
import { sql } from 'drizzle-orm';
import { rows } from '../src/engines/database/database.ts';
import { createOpenAiEmbeddings } from '../src/engines/embeddings/openai.ts';
import { type Provider, startProvider } from '../src/engines/embeddings/provider.suite.ts';
import { createLog } from '../src/platform/log.ts';
import { createEmbedder, createMeaning, createSearch } from '../src/search/index.ts';
import { eventually, onEachEngineSet, startServer, terminal, type TestServer } from './harness.ts';
import { createCrew, type Crew } from './support.ts';

const KEY = 'sk-test-0123456789';

onEachEngineSet('search by meaning', (set) => {
  let provider: Provider;
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  const logged: string[] = [];

  beforeAll(async () => {
    provider = startProvider({ key: KEY });
    const env = { EMBEDDINGS_URL: provider.url, EMBEDDINGS_MODEL: 'first', EMBEDDINGS_API_KEY: KEY, LOG_LEVEL: 'trace' };
    server = await startServer(set, env, { onLog: (line) => logged.push(line) });
    crew = await createCrew(server);
  });
  beforeEach(async () => {
    projectId = await crew.project();
  });
  afterEach(() => void Object.assign(provider, { delayMs: 0, status: 200, body: undefined, more: 0, refused: undefined }));
  afterAll(async () => {
    await server.stop();
    await provider.stop();
  });

  const note = (content: string, more: { tags?: string[] } = {}) => crew.lead.addNote({ projectId, body: { content, ...more } });
  const search = (q: string, query: object = {}, who = crew.lead) => who.search({ projectId, query: { q, ...query } });
  const texts = (items: SearchHit[]) => items.map(({ title, snippet }) => title || snippet.replaceAll('**', ''));
  const found = async (q: string, query: object = {}, who = crew.lead) => texts((await search(q, query, who)).items);
  const states = (model: string, id = projectId) =>
    rows<{ unread: number; read: number; refused: number }>(
      server.deps.database.db,
      sql`select count(*) filter (where model <> ${model})::int as unread, count(*) filter (where model = ${model} and dims > 0)::int as read,
          count(*) filter (where model = ${model} and dims = 0)::int as refused from search_vectors where project_id = ${id}`,
    );
  const allRead = (model = 'first') => eventually('everything is read', async () => (await states(model))[0]?.unread === 0);

  test('finds what says the same in other words, which words alone do not', async () => {
    await note('The automobile needs new tyres.');
    await note('Lunch is at noon.');
    await allRead();
    expect(await search('car')).toMatchObject({ mode: 'hybrid', lexicalBecause: null, hasMore: false });
    expect(await found('car')).toEqual(['The automobile needs new tyres.']);
    expect(await found('lunch')).toContain('Lunch is at noon.');
  });

  test('without a provider it is by words alone, and says so', async () => {
    const { database } = server.deps;
    await note('The automobile needs new tyres.');
    await allRead();
    const plain = createSearch({ database, meaning: undefined });
    const actor = { projectId, engineer: crew.lead.engineer } as unknown as Parameters<typeof plain.search>[0];
    const look = (q: string, more: { cursor?: string } = {}) => plain.search(actor, { q, limit: 1, ...more });
    expect(await look('car')).toMatchObject({ items: [], mode: 'lexical', lexicalBecause: 'no_provider' });
    await note('More tyres.');
    const first = await look('tyres');
    const second = await look('tyres', { cursor: first.nextCursor ?? '' });
    for (const page of [first, second]) expect(page).toMatchObject({ mode: 'lexical', lexicalBecause: 'no_provider' });
    expect(new Set([...first.items, ...second.items].map(({ id }) => id)).size).toBe(2);
  });

  test('what words and meaning both find comes first, and the filters keep to both', async () => {
    await note('A fast automobile.', { tags: ['a'] });
    await note('A car, and nothing else.', { tags: ['b'] });
    await note('Another vehicle entirely.', { tags: ['a'] });
    await crew.member.addNote({ projectId, body: { content: 'My own automobile.' } });
    await allRead();
    expect((await found('car'))[0]).toBe('A car, and nothing else.');
    expect(await found('car')).toHaveLength(4);
    expect((await found('car', { tag: 'a' })).toSorted()).toEqual(['A fast automobile.', 'Another vehicle entirely.']);
    expect(await found('car', { engineer: crew.member.engineer.email })).toEqual(['My own automobile.']);
    expect(await found('car', { kind: 'decision' })).toEqual([]);
    expect(await found('car', { since: new Date(Date.now() + 60_000).toISOString() })).toEqual([]);
    expect(await search('car', { feature: 'nothing' })).toMatchObject({ items: [], mode: 'hybrid' });
  });

  test('nothing of another project, and nothing that was written to others', async () => {
    const [lead, member] = await Promise.all([terminal(crew.lead, projectId), terminal(crew.member, projectId)]);
    await lead.sendMessage({ projectId, body: { to: { session: member.sessionId }, payload: 'between us: the automobile' } });
    await allRead();
    for (const [who, count] of [
      [crew.lead, 1],
      [crew.member, 1],
      [crew.readonly, 0],
    ] as const)
      expect(await found('car', {}, who)).toHaveLength(count);
    const elsewhere = await crew.project();
    await crew.lead.addNote({ projectId: elsewhere, body: { content: 'Their own automobile.' } });
    await eventually('that is read', async () => (await states('first', elsewhere))[0]?.unread === 0);
    const { items } = await crew.lead.search({ projectId: elsewhere, query: { q: 'car' } });
    expect(texts(items)).toEqual(['Their own automobile.']);
    // The cursor of one project shows nothing of it in another, nor to somebody else.
    for (const n of [1, 2, 3]) await crew.lead.addNote({ projectId: elsewhere, body: { content: `Automobile ${n}.` } });
    const page = await crew.lead.search({ projectId: elsewhere, query: { q: 'automobile', limit: 1 } });
    expect(page.hasMore).toBe(true);
    expect((await search('car', { cursor: page.nextCursor }, crew.readonly)).items).toEqual([]);
  });

  test('follows what is written: a text that says something else, a draft that is deleted, a decision that is replaced', async () => {
    await crew.lead.createFeature({ projectId, body: { slug: 'a', title: 'Alpha', spec: 'about the ocean' } });
    await allRead();
    expect(await found('marine')).toEqual(['Alpha']);
    await crew.lead.updateFeature({ projectId, slug: 'a', body: { spec: 'about a physician' } });
    expect(await found('marine')).toEqual([]);
    await allRead();
    expect([await found('marine'), await found('doctor')]).toEqual([[], ['Alpha']]);
    await crew.lead.deleteFeature({ projectId, slug: 'a' });
    expect(await found('doctor')).toEqual([]);
    for (const [title, supersedes] of [['Old blaze'], ['New blaze', '1']] as const)
      await crew.lead.addDecision({ projectId, body: { title, decision: 'Blaze.', ...(supersedes ? { supersedes } : {}) } });
    await allRead();
    expect(await found('fire')).toEqual(['New blaze', 'Old blaze']);
  });

  test('a text that changes while the provider reads it is read again, and the old one is near nothing', async () => {
    await crew.lead.createFeature({ projectId, body: { slug: 'a', title: 'Alpha', spec: 'the sea' } });
    provider.delayMs = 400;
    const before = provider.asked.length;
    await eventually('it is being read', () => provider.asked.length > before);
    await crew.lead.updateFeature({ projectId, slug: 'a', body: { spec: 'the fire' } });
    await Bun.sleep(600);
    provider.delayMs = 0;
    await allRead();
    expect([await found('ocean'), await found('blaze')]).toEqual([[], ['Alpha']]);
  });

  test('pages name each hit once, best first, though entries are written, read and removed meanwhile', async () => {
    // More than are weighed of both lists, and more by words than by meaning.
    for (let n = 0; n < 70; n += 1)
      await crew.lead.createFeature({
        projectId,
        body: { slug: `f${n}`, title: `F${n}`, spec: n % 2 ? `A car ${'and so on '.repeat(n % 9)}` : 'An automobile.' },
      });
    for (let n = 0; n < 60; n += 1) await note(`Only the word car, number ${n}, with ${'much '.repeat(12 + n)} else.`);
    await allRead();
    const all = async (limit: number, between: (page: number) => Promise<unknown> = async () => undefined) => {
      const seen: SearchHit[] = [];
      for (let cursor: string | undefined, more = true, page = 0; more; page += 1) {
        const answer = await search('car', { limit, ...(cursor ? { cursor } : {}) });
        expect(answer.mode).toBe('hybrid');
        expect(answer.items.length === limit || !answer.hasMore).toBe(true);
        seen.push(...answer.items);
        [cursor, more] = [answer.nextCursor ?? undefined, answer.hasMore];
        await between(page);
      }
      return seen;
    };
    const ids = (hits: SearchHit[]) => hits.map(({ id }) => id);
    const once = await all(100);
    expect(new Set(ids(once)).size).toBe(once.length);
    expect(once.length).toBeGreaterThanOrEqual(95);
    expect(once.map(({ score }) => score)).toEqual(once.map(({ score }) => score).toSorted((a, b) => b - a));
    for (const limit of [7, 50, 33]) expect(ids(await all(limit))).toEqual(ids(once));

    const gone = once.filter(({ kind }) => kind === 'spec').slice(20, 30);
    const meanwhile = await all(10, async (page) => {
      if (page !== 0) return;
      for (const { featureSlug } of gone) await crew.lead.deleteFeature({ projectId, slug: featureSlug ?? '' });
      for (let n = 0; n < 5; n += 1) await note('A new automobile, a quick one.');
    });
    const lost = new Set(ids(gone));
    const kept = ids(once).filter((id) => !lost.has(id));
    expect(ids(meanwhile).filter((id) => kept.includes(id))).toEqual(kept);
    expect(new Set(ids(meanwhile)).size).toBe(meanwhile.length);
  });

  test('a provider that is slow, fails or answers nonsense makes it by words alone, in time, and is caught up with', async () => {
    await note('The automobile needs new tyres.');
    await allRead();
    let n = 0;
    for (const trouble of [{ delayMs: 4000 }, { status: 500 }, { status: 401 }, { body: { data: 'no' } }]) {
      Object.assign(provider, { delayMs: 0, status: 200, body: undefined }, trouble);
      const began = performance.now();
      await note(`A marine ${(n += 1)}.`);
      expect(performance.now() - began).toBeLessThan(1000);
      const answer = await search('tyres');
      expect(performance.now() - began).toBeLessThan(3000);
      expect(answer).toMatchObject({ mode: 'lexical', lexicalBecause: 'provider_away' });
      expect(texts(answer.items)).toEqual(['The automobile needs new tyres.']);
      // Whoever searches next does not wait as well.
      const again = performance.now();
      expect(await found('marine')).toHaveLength(n);
      expect(performance.now() - again).toBeLessThan(1000);
    }
    Object.assign(provider, { delayMs: 0, status: 200, body: undefined });
    await eventually('it is by meaning again', async () => (await search('ocean')).mode === 'hybrid');
    await eventually('all is read', async () => (await found('ocean')).length === 4, 90_000);
  }, 120_000);

  test('a model that was changed, or makes longer vectors, reads all again; until then it is by words alone', async () => {
    const own = await startServer(set);
    const { projectId: id, lead } = await own.project();
    await lead.addNote({ projectId: id, body: { content: 'The automobile needs new tyres.' } });
    const { database } = own.deps;
    const actor = { projectId: id, engineer: await lead.me() } as unknown as Parameters<typeof own.deps.search.search>[0];
    const withModel = (model: string) => {
      const log = createLog({ level: 'silent', write: () => undefined });
      const embeddings = createOpenAiEmbeddings({ url: provider.url, model, apiKey: KEY });
      const embedder = createEmbedder({ database, embeddings, log });
      const { search: look } = createSearch({ database, meaning: createMeaning({ database, embeddings, embedder, log }) });
      return { embedder, look: (q: string) => look(actor, { q, limit: 5 }) };
    };
    const behind = { mode: 'lexical', lexicalBecause: 'catching_up' } as const;
    for (const model of ['one', 'two', 'one']) {
      const { embedder, look } = withModel(model);
      expect(await look('car')).toMatchObject({ items: [], ...behind });
      expect((await look('tyres')).items).toHaveLength(1);
      embedder.start();
      await eventually(`${model} has read it`, async () => (await look('car')).items.length === 1);
      provider.more += 3;
      expect(await look('car')).toMatchObject(behind);
      await eventually(`${model} has made longer vectors`, async () => (await look('car')).items.length === 1);
      await embedder.stop();
    }
    await own.stop();
  }, 60_000);

  test('texts that the provider refuses hold up no others, and are cut before they are given up', async () => {
    provider.refused = /forbidden|x{2000}/;
    const long = `The ocean. ${'x'.repeat(5000)}`;
    for (const text of ['An automobile.', 'A forbidden blaze.', long, 'A physician.']) await note(text);
    await allRead();
    expect(await states('first')).toEqual([{ unread: 0, read: 3, refused: 1 }]);
    expect(await (await fetch(`${server.url}/api/metrics`)).text()).toMatch(/^nexus_search_unread 0$/m);
    expect([await found('car'), (await found('sea')).length, await found('fire')]).toEqual([['An automobile.'], 1, []]);
    expect(await found('forbidden')).toEqual(['A forbidden blaze.']);
  });

  test('a provider that refuses everything has read nothing: all is kept for when it does', async () => {
    provider.refused = /./;
    await note('An automobile.');
    await Bun.sleep(700);
    expect(await states('first')).toEqual([{ unread: 1, read: 0, refused: 0 }]);
    provider.refused = undefined;
    await eventually('it is read', async () => (await states('first'))[0]?.unread === 0, 60_000);
  }, 90_000);

  test('what was written before there was a provider is read after the next start', async () => {
    await note('An automobile.');
    await allRead();
    const { db } = server.deps.database;
    await db.execute(sql`delete from search_vectors where project_id = ${projectId}`);
    const log = createLog({ level: 'silent', write: () => undefined });
    const embeddings = createOpenAiEmbeddings({ url: provider.url, model: 'first', apiKey: KEY });
    const [one, two] = [
      createEmbedder({ database: server.deps.database, embeddings, log }),
      createEmbedder({ database: server.deps.database, embeddings, log }),
    ];
    one.start();
    two.start();
    await eventually('it is found', async () => (await found('car')).length === 1);
    await Promise.all([one.stop(), two.stop()]);
  });

  test('neither the key nor a text is logged', () => {
    expect(logged.some((line) => line.includes('embeddings provider'))).toBe(true);
    expect(logged.filter((line) => line.includes(KEY) || /automobile|marine/.test(line))).toEqual([]);
  });
});

test('an embedded database compares by pgvector, which its package brings', async () => {
  const provider = startProvider();
  const server = await startServer('embedded', { EMBEDDINGS_URL: provider.url, EMBEDDINGS_MODEL: 'm' });
  const { projectId, lead } = await server.project();
  await lead.addNote({ projectId, body: { content: 'An automobile.' } });
  await eventually('it is found', async () => (await lead.search({ projectId, query: { q: 'car' } })).items.length === 1);
  const installed = await rows(server.deps.database.db, sql`select 1 from pg_extension where extname = 'vector'`);
  expect(installed).toHaveLength(1);
  await server.stop();
  await provider.stop();
});
