import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { SearchHit } from '@nexus/contract';
import { sql } from 'drizzle-orm';
import { eventually, onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { createCrew, type Crew, refusal } from './support.ts';

onEachEngineSet('search', (set) => {
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  const notes = {
    pool: 'The connection pool starves when migrations run at boot; raise poolSize first.',
    clock: 'Leases follow a logical clock, so a stepped wall clock expires nothing.',
    cache: 'Cached memberships live thirty seconds; revocation publishes on the bus.',
    path: 'Path keys are folded in packages/paths/src/fold.ts, see foldSegment.',
  };

  beforeAll(async () => {
    server = await startServer(set);
    crew = await createCrew(server);
    projectId = await crew.project();
    await readyFeature(crew.lead, projectId, 'login');
    await crew.lead.updateFeature({
      projectId,
      slug: 'login',
      body: { title: 'Login form', spec: 'Ask for a password. Throttle guesses.' },
    });
    await crew.member.addLearning({ projectId, slug: 'login', body: { content: notes.pool, tags: ['database'], kind: 'pitfall' } });
    for (const content of [notes.clock, notes.cache, notes.path]) await crew.lead.addNote({ projectId, body: { content } });
    const decision = { title: 'Throttle by address', decision: 'Five guesses a minute.', rationale: 'Keys can be rotated.' };
    await crew.lead.addDecision({ projectId, body: { ...decision, featureSlug: 'login' } });
  });
  afterAll(() => server.stop());

  const search = (q: string, query: object = {}) => crew.readonly.search({ projectId, query: { q, ...query } });
  const found = async (q: string, query: object = {}) => (await search(q, query)).items.map(nameOf);
  const nameOf = ({ kind, title, snippet }: SearchHit) =>
    title || `${kind}: ${snippet.replaceAll('**', '').split(' ').slice(0, 2).join(' ')}`;

  test('finds words in any form, in titles, specs, notes and decisions, and shows where', async () => {
    expect(await found('migrating connections')).toEqual(['learning: The connection']);
    expect(await found('throttled guess')).toEqual(['Throttle by address', 'Login form']);
    const { items } = await search('expired lease');
    expect(items[0]).toMatchObject({ kind: 'learning', featureSlug: null, engineerName: 'Lead', tags: [], replaced: false });
    expect(items[0]?.snippet).toContain('**Leases** follow a logical clock, so a stepped wall clock **expires** nothing.');
    expect(await found('the of and')).toEqual([]);
    expect(await found('xylophone')).toEqual([]);
  });

  test('forgives slips of the pen, completes words, and says so', async () => {
    const { items, corrections } = await search('conection migratoins');
    expect(items.map(nameOf)).toEqual(['learning: The connection']);
    expect(corrections.toSorted((a, b) => (a.word < b.word ? -1 : 1))).toEqual([
      { word: 'conection', instead: ['connection'] },
      { word: 'migratoins', instead: ['migrations'] },
    ]);
    expect(await found('passwrod')).toEqual(['Login form']);
    expect(await found('revoc')).toEqual(['learning: Cached memberships']);
    expect((await search('password')).corrections).toEqual([]);
  });

  test('finds identifiers and paths by their pieces', async () => {
    for (const q of ['fold.ts', 'foldSegment', 'segment', 'packages/paths', 'pool size'])
      expect([q, (await found(q)).length]).toEqual([q, 1]);
  });

  test('keeps to what the filters say', async () => {
    expect(await found('throttle', { kind: 'spec' })).toEqual(['Login form']);
    expect(await found('connection', { tag: 'database' })).toHaveLength(1);
    expect(await found('connection', { tag: 'other' })).toEqual([]);
    expect(await found('migrations throttle clock', { feature: 'login' })).toHaveLength(3);
    expect(await found('migrations', { feature: 'nothing' })).toEqual([]);
    expect(await found('migrations clock', { engineer: crew.member.engineer.id })).toEqual(['learning: The connection']);
    expect(await found('migrations clock', { engineer: crew.member.engineer.email.toUpperCase() })).toEqual(['learning: The connection']);
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
    expect(await found('clock', { since: '2020-01-01', until: tomorrow })).toHaveLength(1);
    expect(await found('clock', { since: tomorrow })).toEqual([]);
    expect(await found('clock', { until: '2020-01-01T00:00:00+02:00' })).toEqual([]);
  });

  test('follows what is written: a changed spec, a draft that is deleted, a decision that is replaced', async () => {
    const own = await crew.project();
    const titles = async (q: string) => (await crew.lead.search({ projectId: own, query: { q } })).items.map(({ title }) => title);
    await crew.lead.createFeature({ projectId: own, body: { slug: 'a', title: 'Alpha', spec: 'about walruses' } });
    expect(await titles('walrus')).toEqual(['Alpha']);
    await crew.lead.updateFeature({ projectId: own, slug: 'a', body: { spec: 'about penguins' } });
    expect([await titles('walrus'), await titles('penguin'), await titles('alhpa')]).toEqual([[], ['Alpha'], ['Alpha']]);
    await crew.lead.deleteFeature({ projectId: own, slug: 'a' });
    expect(await titles('penguin alpha')).toEqual([]);
    for (const [title, supersedes] of [['Old otters'], ['New otters', '1']] as const)
      await crew.lead.addDecision({ projectId: own, body: { title, decision: 'Otters.', ...(supersedes ? { supersedes } : {}) } });
    expect(await titles('otters')).toEqual(['New otters', 'Old otters']);
  });

  test('finds what a session noted at a checkpoint', async () => {
    const own = await crew.project();
    const { id: featureId } = await readyFeature(crew.lead, own, 'f');
    const ann = await terminal(crew.member, own);
    await ann.pickFeature({ projectId: own, slug: 'f' });
    const save = (notes?: string) =>
      ann.saveCheckpoint({ projectId: own, body: { sessionId: ann.sessionId, featureId, ...(notes ? { notes } : {}) } });
    await save();
    await save('Half of the parser is rewritten; tests of the lexer fail.');
    expect((await crew.lead.search({ projectId: own, query: { q: 'lexer parsing' } })).items).toMatchObject([
      { kind: 'checkpoint', featureSlug: 'f', engineerName: 'Mem' },
    ]);
  });

  test('pages name each hit once, best first, though more is written meanwhile', async () => {
    const own = await crew.project();
    const all = Array.from({ length: 7 }, (_, n) => `heron ${'reed '.repeat(n)}number ${n}`);
    for (const content of all) await crew.lead.addNote({ projectId: own, body: { content } });
    const seen: string[] = [];
    for (let cursor: string | undefined, more = true; more;) {
      const page = await crew.lead.search({ projectId: own, query: { q: 'heron', limit: 3, ...(cursor ? { cursor } : {}) } });
      seen.push(...page.items.map(({ snippet }) => snippet.replaceAll('**', '')));
      [cursor, more] = [page.nextCursor ?? undefined, page.hasMore];
      await crew.lead.addNote({ projectId: own, body: { content: 'a pond, and in it not a single one of them' } });
    }
    expect(seen.toSorted()).toEqual(all.map((text) => text.trim()).toSorted());
  });

  test('finds nothing of other projects, and takes no cursor that it did not give', async () => {
    const elsewhere = await crew.project();
    expect((await crew.lead.search({ projectId: elsewhere, query: { q: 'clock conection' } })).items).toEqual([]);
    expect((await refusal(crew.stranger.search({ projectId, query: { q: 'clock' } }))).code).toBe('NOT_FOUND');
    const position = { terms: [{ words: ["it's \\ 'odd'"], docs: 1, weight: 1 }], score: 1, id: crypto.randomUUID() };
    const forged = (change: object) => Buffer.from(JSON.stringify({ ...position, ...change })).toString('base64url');
    expect((await search('x', { cursor: forged({}) })).items).toEqual([]);
    for (const cursor of [
      'x',
      'e30',
      forged({ score: 1e300 }),
      forged({ terms: [{ words: ['\u0000'], docs: 1, weight: 1 }] }),
      forged({ id: 'x' }),
    ])
      expect((await refusal(search('x', { cursor }))).details).toMatchObject({ field: 'cursor' });
    for (const [query, field] of [
      [{ q: ' ' }, 'q'],
      [{ q: 'x', since: '0000-01-01' }, 'since'],
      [{ q: 'x', until: 'tomorrow' }, 'until'],
      [{ q: 'x', kind: 'poem' }, 'kind'],
    ] as const)
      expect((await refusal(crew.lead.search({ projectId, query: query as { q: string } }))).details).toMatchObject({ field });
  });

  test('a message is found by those who may read it alone, and its words are guessed for nobody else', async () => {
    const own = await crew.project();
    const [lead, member] = await Promise.all([terminal(crew.lead, own), terminal(crew.member, own)]);
    await lead.sendMessage({ projectId: own, body: { to: { session: member.sessionId }, payload: { text: 'between us: ocelots' } } });
    await lead.sendMessage({ projectId: own, body: { to: { project: true }, payload: 'for all: badgers' } });
    const look = (who: typeof crew.member, q: string) => who.search({ projectId: own, query: { q } });
    const found = async (q: string) =>
      Promise.all([crew.lead, crew.member, crew.readonly].map(async (who) => (await look(who, q)).items.map(({ kind }) => kind).join()));
    expect(await found('ocelot')).toEqual(['message', 'message', '']);
    expect(await found('badger')).toEqual(['message', 'message', 'message']);
    expect((await look(crew.readonly, 'ocelto')).corrections).toEqual([]);
  });

  test('survives whatever is looked for', async () => {
    for (const q of [
      "'",
      '"',
      "'; drop",
      '& | !',
      'a:*',
      '\\',
      ':A',
      '<->',
      '((',
      '\u202e',
      'é'.normalize('NFD'),
      'x'.repeat(500),
      '💥 %_',
      'a '.repeat(250),
    ])
      expect([q.slice(0, 9), Array.isArray((await search(q)).items)]).toEqual([q.slice(0, 9), true]);
  });

  test('texts from before an upgrade are found after the next start', async () => {
    const own = await crew.project();
    await crew.lead.createFeature({ projectId: own, body: { slug: 'a', title: 'Alpha', spec: 'about walruses' } });
    await crew.lead.addNote({ projectId: own, body: { content: 'walrus teeth' } });
    await crew.lead.addDecision({ projectId: own, body: { title: 'Walrus', decision: 'Yes.' } });
    const [lead, member] = await Promise.all([terminal(crew.lead, own), terminal(crew.member, own)]);
    const payload = { topic: 'Ask', about: [{ animal: 'the walrus' }, 7] };
    await lead.sendMessage({ projectId: own, body: { to: { session: member.sessionId }, payload } });
    await lead.sendMessage({ projectId: own, body: { to: { project: true }, payload: 'all walruses' } });
    const { db } = server.deps.database;
    for (const table of ['search_entries', 'search_words', 'search_spellings'])
      await db.execute(sql`delete from ${sql.raw(table)} where project_id = ${own}`);
    const count = async (who = crew.lead) => (await who.search({ projectId: own, query: { q: 'walrus' } })).items.length;
    expect(await count()).toBe(0);
    await server.deps.start();
    await eventually('all five are found', async () => (await count()) === 5);
    expect([await count(crew.member), await count(crew.readonly)]).toEqual([5, 4]);
  });
});
