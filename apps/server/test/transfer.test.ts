import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { ProjectExport } from '@nexus/contract';
import { onEachEngineSet, startServer, type TestServer } from './harness.ts';
import { createCrew, type Crew, eventsOf, refusal } from './support.ts';

const author = { name: 'Ann', email: 'ann@example.org' };
const at = '2026-01-02T03:04:05.006Z';
const feature = (slug: string, more: Partial<ProjectExport['features'][number]> = {}): ProjectExport['features'][number] => ({
  ...{ slug, title: slug, spec: 'Do it.', status: 'ready', interrupted: false, lane: 'now', priority: 1, touches: [], dependsOn: [] },
  ...{ author, createdAt: at, updatedAt: at, completedAt: null },
  ...more,
});
const learning = (content: string, of: string | null = null): ProjectExport['learnings'][number] => ({
  ...{ content, feature: of, scope: 'feature', kind: 'note', tags: [], fence: null, author, createdAt: at },
});
const decision = (number: number, supersedes: number | null = null): ProjectExport['decisions'][number] => ({
  ...{ number, supersedes, feature: null, title: `D${number}`, decision: 'd', rationale: null, alternatives: null, author, createdAt: at },
});
const bundle = (more: Partial<ProjectExport> = {}): ProjectExport => ({
  format: 'nexus-project/1',
  project: { name: 'P', defaultBranch: 'main', policy: {} },
  ...{ features: [], learnings: [], decisions: [] },
  ...more,
});

onEachEngineSet('import', (set) => {
  let server: TestServer;
  let crew: Crew;
  beforeAll(async () => {
    server = await startServer(set, { LIMIT_CLAIM: '0' });
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());

  test('is a lead’s, of one commit, and its retry is the same one', async () => {
    const projectId = await crew.project();
    const body = bundle({
      features: [feature('b', { dependsOn: ['a'] }), feature('a')],
      learnings: [learning('l', 'a')],
      decisions: [decision(7), decision(9, 7)],
    });
    expect((await refusal(crew.member.exportProject({ projectId }))).code).toBe('INSUFFICIENT_ROLE');
    expect((await refusal(crew.member.importProject({ projectId, body }))).code).toBe('INSUFFICIENT_ROLE');
    const before = (await eventsOf(crew.lead, projectId)).length;
    const call = () => crew.lead.importProject({ projectId, body }, { idempotencyKey: 'once' });
    const [first, again] = [await call(), await call()];
    expect(first).toMatchObject({ features: 2, learnings: 1, decisions: 2 });
    expect(again).toEqual(first);
    const told = (await eventsOf(crew.lead, projectId)).slice(before).map(({ type }) => type);
    expect(told).toEqual(['project_updated', 'project_imported']);
    expect((await crew.lead.listDecisions({ projectId })).items).toMatchObject([
      { number: 9 },
      { number: 7, createdAt: at, engineerName: 'Ann' },
    ]);
    expect(await crew.lead.addDecision({ projectId, body: { title: 'Next', decision: 'n' } })).toMatchObject({ number: 10 });
    expect((await refusal(crew.lead.importProject({ projectId, body: bundle() }))).code).toBe('ALREADY_EXISTS');
  });

  test('of what could not be true is refused by name, and leaves nothing', async () => {
    const projectId = await crew.project();
    const before = (await eventsOf(crew.lead, projectId)).length;
    const wrong: Array<[Partial<ProjectExport>, string]> = [
      [{ features: [feature('a'), feature('a')] }, 'features'],
      [{ features: [feature('a', { dependsOn: ['x'] })] }, 'features.0.dependsOn'],
      [{ features: [feature('a', { dependsOn: ['b'] }), feature('b', { dependsOn: ['a'] })] }, 'features.0.dependsOn'],
      [{ features: [feature('a', { touches: ['ok/', '../x'] })] }, 'features.0.touches[1]'],
      [{ learnings: [learning('l', 'x')] }, 'learnings.0.feature'],
      [{ learnings: [learning('a\u0000')] }, 'learnings.0.content'],
      [{ decisions: [decision(1), decision(1)] }, 'decisions'],
      [{ decisions: [decision(1), decision(2, 1), decision(3, 1)] }, 'decisions'],
      [{ decisions: [decision(1, 2), decision(2)] }, 'decisions.0.supersedes'],
      [{ features: [feature('a', { createdAt: '0000-01-01T00:00:00.000Z' })] }, 'features.0.createdAt'],
    ];
    for (const [more, field] of wrong) {
      const { code, details } = await refusal(crew.lead.importProject({ projectId, body: bundle(more) }));
      expect([field, code, (details as { field?: string }).field]).toEqual([field, expect.stringMatching(/VALIDATION_ERROR|PATH_/), field]);
    }
    expect((await eventsOf(crew.lead, projectId)).length).toBe(before);
    expect(await crew.lead.exportProject({ projectId })).toMatchObject({ features: [], learnings: [], decisions: [] });
  });

  test('of eight at once into one project, one takes place', async () => {
    const projectId = await crew.project();
    const race = await Promise.allSettled(
      Array.from({ length: 8 }, (_, n) => crew.lead.importProject({ projectId, body: bundle({ features: [feature(`f${n}`)] }) })),
    );
    expect(race.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await crew.lead.listFeatures({ projectId })).items).toHaveLength(1);
  });
});
