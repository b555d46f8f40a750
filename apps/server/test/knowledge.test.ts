import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { createCrew, type Crew, eventsOf, refusal } from './support.ts';

onEachEngineSet('what was learned and decided', (set) => {
  let server: TestServer;
  let crew: Crew;
  beforeAll(async () => {
    server = await startServer(set);
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());

  const learn = (client: Client, projectId: string, slug: string, content: string, more: { fence?: number } = {}) =>
    client.addLearning({ projectId, slug, body: { content, ...more } });
  const decide = (client: Client, projectId: string, title: string, more: { supersedes?: string; featureSlug?: string } = {}) =>
    client.addDecision({ projectId, body: { title, decision: `${title}.`, ...more } });

  test('a learning of any member is kept with its event in one commit, and its retry is the same one', async () => {
    const projectId = await crew.project();
    const { id: featureId } = await readyFeature(crew.lead, projectId, 'login');
    const body = { content: 'Tokens expire in UTC.', kind: 'pitfall', tags: ['auth', 'time', 'auth'] } as const;
    const call = () =>
      crew.member.addLearning({ projectId, slug: 'login', body: { ...body, tags: [...body.tags] } }, { idempotencyKey: 'l1' });
    const [added, again] = [await call(), await call()];
    expect(again).toEqual(added);
    expect(added).toMatchObject({
      featureId,
      featureSlug: 'login',
      engineerId: crew.member.engineer.id,
      engineerName: 'Mem',
      scope: 'feature',
      kind: 'pitfall',
      tags: ['auth', 'time'],
      content: 'Tokens expire in UTC.',
      fence: null,
    });
    const told = (await eventsOf(crew.lead, projectId)).filter(({ type }) => type === 'learning_added');
    expect(told).toMatchObject([
      { feature: { slug: 'login' }, engineer: { name: 'Mem' }, data: { learningId: added.id, kind: 'pitfall' } },
    ]);
    expect((await crew.readonly.listLearnings({ projectId, slug: 'login' })).items).toEqual([added]);
    expect((await refusal(learn(crew.readonly, projectId, 'login', 'x'))).code).toBe('INSUFFICIENT_ROLE');
    expect((await refusal(learn(crew.stranger, projectId, 'login', 'x'))).code).toBe('NOT_FOUND');
    expect((await refusal(learn(crew.member, projectId, 'other', 'x'))).code).toBe('NOT_FOUND');
    expect((await refusal(learn(crew.member, projectId, 'login', ' \n'))).details).toMatchObject({ field: 'content' });
  });

  test('a learning that comes late is kept as a project note, with its fence and its author', async () => {
    const projectId = await crew.project();
    await readyFeature(crew.lead, projectId, 'login', ['src/']);
    const ann = await terminal(crew.member, projectId);
    const { fence } = await ann.pickFeature({ projectId, slug: 'login' });
    const quoted = fence ?? 0;
    expect(await learn(ann, projectId, 'login', 'in time', { fence: quoted })).toMatchObject({ scope: 'feature', fence });
    await crew.lead.forceReleaseFeature({ projectId, slug: 'login', body: { fence: quoted, reason: 'test' } });
    expect(await learn(ann, projectId, 'login', 'fence over', { fence: quoted })).toMatchObject({
      scope: 'project',
      fence,
      featureSlug: 'login',
      engineerName: 'Mem',
    });
    expect(await learn(ann, projectId, 'login', 'no fence')).toMatchObject({ scope: 'feature' });
    await ann.endSession({ projectId, sessionId: ann.sessionId, body: { reason: 'died' } });
    expect(await learn(ann, projectId, 'login', 'session lost')).toMatchObject({ scope: 'project', fence: null });
    const bob = await terminal(crew.lead, projectId);
    await bob.pickFeature({ projectId, slug: 'login' });
    await bob.doneFeature({ projectId, slug: 'login' });
    expect(await learn(crew.lead, projectId, 'login', 'work done')).toMatchObject({ scope: 'project' });
    expect(await crew.lead.addNote({ projectId, body: { content: 'of none' } })).toMatchObject({ scope: 'project', featureId: null });
    const contents = (page: { items: Array<{ content: string }> }) => page.items.map(({ content }) => content);
    const notes = await crew.lead.listNotes({ projectId, query: { scope: 'project' } });
    expect(contents(notes)).toEqual(['of none', 'work done', 'session lost', 'fence over']);
    expect(contents(await crew.lead.listLearnings({ projectId, slug: 'login' }))).toHaveLength(5);
  });

  test('pages name each learning once, whatever is added meanwhile', async () => {
    const projectId = await crew.project();
    await readyFeature(crew.lead, projectId, 'f');
    const all = ['a', 'b', 'c', 'd', 'e'];
    for (const content of all) await crew.lead.addLearning({ projectId, slug: 'f', body: { content, tags: ['t'] } });
    const seen: string[] = [];
    for (let cursor: string | undefined, more = true; more;) {
      const page = await crew.lead.listLearnings({ projectId, slug: 'f', query: { limit: 2, tag: 't', ...(cursor ? { cursor } : {}) } });
      seen.push(...page.items.map(({ content }) => content));
      [cursor, more] = [page.nextCursor ?? undefined, page.hasMore];
      await learn(crew.lead, projectId, 'f', 'later');
    }
    expect(seen).toEqual(all.toReversed());
    for (const cursor of ['x', 'W10', Buffer.from('[1,2]').toString('base64url')])
      expect((await refusal(crew.lead.listNotes({ projectId, query: { cursor } }))).details).toMatchObject({ field: 'cursor' });
  });

  test('a decision replaces one of its own project only, and the chain is shown from every link', async () => {
    const projectId = await crew.project();
    await readyFeature(crew.lead, projectId, 'db');
    const first = await decide(crew.lead, projectId, 'SQLite', { featureSlug: 'db' });
    const second = await decide(crew.member, projectId, 'Postgres', { supersedes: first.id });
    const third = await decide(crew.member, projectId, 'PGlite', { supersedes: String(second.number) });
    expect([first, second, third].map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(second).toMatchObject({ supersedes: first.id, supersededBy: null, featureId: null, rationale: null });
    for (const name of [first.id, '2', third.id]) {
      const { chain } = await crew.readonly.getDecision({ projectId, decisionId: name });
      expect(chain.map(({ title, supersededBy }) => [title, supersededBy])).toEqual([
        ['SQLite', second.id],
        ['Postgres', third.id],
        ['PGlite', null],
      ]);
    }
    const titles = async (query: object) => (await crew.lead.listDecisions({ projectId, query })).items.map(({ title }) => title);
    expect(await titles({})).toEqual(['PGlite', 'Postgres', 'SQLite']);
    expect(await titles({ current: 'true' })).toEqual(['PGlite']);
    expect(await titles({ feature: 'db' })).toEqual(['SQLite']);
    const { nextCursor } = await crew.lead.listDecisions({ projectId, query: { limit: 2 } });
    expect(await titles({ cursor: nextCursor })).toEqual(['SQLite']);

    const elsewhere = await crew.project();
    const foreign = await decide(crew.lead, elsewhere, 'Foreign');
    for (const supersedes of [foreign.id, '99', 'x', crypto.randomUUID()])
      expect((await refusal(decide(crew.lead, projectId, 'No', { supersedes }))).code).toBe('NOT_FOUND');
    expect((await refusal(crew.lead.getDecision({ projectId, decisionId: foreign.id }))).code).toBe('NOT_FOUND');
    expect((await refusal(decide(crew.lead, projectId, 'No', { featureSlug: 'nothing' }))).code).toBe('NOT_FOUND');
    const told = (await eventsOf(crew.lead, projectId)).filter(({ type }) => type === 'decision_added');
    expect(told.map(({ data }) => data['number'])).toEqual([1, 2, 3]);
  });

  test('of twenty that replace one decision at once, one does; the others are told by which', async () => {
    const projectId = await crew.project();
    const { id } = await decide(crew.lead, projectId, 'Old');
    const race = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => decide(crew.member, projectId, `New ${n}`, { supersedes: id })),
    );
    const won = race.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(won).toHaveLength(1);
    for (const one of race.filter(({ status }) => status === 'rejected'))
      expect(one).toMatchObject({ reason: { code: 'ALREADY_EXISTS', details: { supersededBy: { id: won[0]?.id } } } });
    const { chain } = await crew.lead.getDecision({ projectId, decisionId: id });
    expect(chain.map(({ number }) => number)).toEqual([1, 2]);
  });

  test('a session that is over decides nothing any more', async () => {
    const projectId = await crew.project();
    const ann = await terminal(crew.member, projectId);
    await ann.endSession({ projectId, sessionId: ann.sessionId, body: { reason: 'died' } });
    expect((await refusal(decide(ann, projectId, 'Late'))).code).toBe('SESSION_LOST');
    expect((await crew.lead.listDecisions({ projectId })).items).toEqual([]);
  });
});
