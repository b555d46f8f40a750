import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { MAX_WRITES } from '@nexus/contract';
import { onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { auditLedger } from './lib/audit.ts';
import { type Crew, createCrew, eventsOf, refusal } from './support.ts';

onEachEngineSet('what was written, beside what was declared', (set) => {
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  let ann: Client & { sessionId: string };
  let bob: Client & { sessionId: string };
  beforeAll(async () => {
    server = await startServer(set, { REGISTRATION: 'open' });
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    projectId = await crew.project();
    ann = await terminal(crew.lead, projectId);
    bob = await terminal(crew.member, projectId);
    await readyFeature(ann, projectId, 'api', ['src/api/', 'src/**/*.test.ts', 'README.md', 'ro:docs/']);
    await ann.pickFeature({ projectId, slug: 'api' });
  });

  const done = (paths: string[] | undefined, more: { explanation?: string; more?: boolean } = {}) =>
    ann.doneFeature({
      projectId,
      slug: 'api',
      body: {
        ...(paths ? { writes: { paths, ...(more.more ? { more: true } : {}) } } : {}),
        ...(more.explanation ? { explanation: more.explanation } : {}),
      },
    });
  const refuse = () => crew.lead.updateProject({ projectId, body: { policy: { undeclared: 'refuse' } } });
  const lastHold = async () =>
    (await crew.lead.history({ projectId, query: { limit: 5 } })).items.find(({ featureSlug }) => featureSlug === 'api');

  test('done tells what nobody had declared, by spelling as paths are told apart, and who holds it', async () => {
    await bob.claim({ projectId, body: { paths: ['lib/b.ts'] } });
    const answer = await done(['src/api/a.ts', 'SRC/API/a.ts', 'src/x/y.test.ts', 'docs/a.md', './ro:odd', 'lib/b.ts', 'lib/c.ts']);
    expect(answer).toMatchObject({ status: 'done', warnings: [expect.stringContaining('4 of the written paths')] });
    expect(answer.undeclared).toEqual([
      { path: 'docs/a.md', heldBy: null },
      { path: './ro:odd', heldBy: null },
      {
        path: 'lib/b.ts',
        heldBy: expect.objectContaining({ sessionId: bob.sessionId, agent: 'claude', mode: 'write', featureSlug: null }),
      },
      { path: 'lib/c.ts', heldBy: null },
    ]);
    expect((await eventsOf(crew.lead, projectId)).find(({ type }) => type === 'feature_completed')?.data).toMatchObject({
      undeclared: ['docs/a.md', './ro:odd', 'lib/b.ts', 'lib/c.ts'],
      undeclaredCount: 4,
    });
    expect(await auditLedger(server.deps.database, projectId)).toEqual([]);
  });

  test('history, why and stats show both: written and not declared, declared and not written', async () => {
    await done(['src/api/a.ts', 'lib/c.ts'], { explanation: 'the generator moved' });
    expect((await lastHold())?.written).toEqual({
      count: 2,
      undeclared: ['lib/c.ts'],
      unwritten: ['README.md', 'src/**/*.test.ts'].toSorted(),
      explanation: 'the generator moved',
    });
    const why = async (path: string) => (await crew.lead.why({ projectId, query: { path } })).writtenBy;
    expect(await why('lib/c.ts')).toEqual([
      expect.objectContaining({
        path: 'lib/c.ts',
        declared: false,
        explanation: 'the generator moved',
        featureSlug: 'api',
        sessionId: ann.sessionId,
      }),
    ]);
    expect((await why('src/')).map(({ path, declared }) => [path, declared])).toEqual([['src/api/a.ts', true]]);
    expect((await why('**/*.ts')).map(({ path }) => path).toSorted()).toEqual(['lib/c.ts', 'src/api/a.ts']);
    expect(await why('lib/d.ts')).toEqual([]);
    expect((await crew.lead.stats({ projectId })).writes).toEqual({
      holds: 1,
      written: 2,
      undeclared: 1,
      unwritten: 2,
      undeclaredHolds: 1,
    });
  });

  test('nothing is said where nothing was told, and an empty list is told', async () => {
    expect(await done(undefined)).not.toHaveProperty('undeclared');
    expect((await lastHold())?.written).toBeNull();
    await readyFeature(ann, projectId, 'idle', ['idle.ts']);
    await ann.pickFeature({ projectId, slug: 'idle' });
    expect((await ann.doneFeature({ projectId, slug: 'idle', body: { writes: { paths: [] } } })).undeclared).toEqual([]);
    expect((await crew.lead.history({ projectId })).items[0]?.written).toMatchObject({ count: 0, unwritten: ['idle.ts'] });
  });

  test('what was claimed at the edit, also what was given back since, and by a subagent, is declared', async () => {
    await ann.claim({ projectId, body: { paths: ['lib/adhoc.ts', 'lib/back.ts'] } });
    await ann.releaseClaims({ projectId, body: { paths: ['lib/back.ts'] } });
    const child = await terminal(crew.lead, projectId, { parentId: ann.sessionId });
    await child.claim({ projectId, body: { paths: ['lib/child.ts'] } });
    await child.endSession({ projectId, sessionId: child.sessionId });
    expect((await done(['lib/adhoc.ts', 'lib/back.ts', 'lib/child.ts'])).undeclared).toEqual([]);
  });

  test('what was given back before the pick is not', async () => {
    await readyFeature(bob, projectId, 'late', ['late.ts']);
    await bob.claim({ projectId, body: { paths: ['lib/before.ts'] } });
    await bob.releaseClaims({ projectId });
    await bob.pickFeature({ projectId, slug: 'late' });
    const answer = await bob.doneFeature({ projectId, slug: 'late', body: { writes: { paths: ['lib/before.ts'] } } });
    expect(answer.undeclared).toEqual([{ path: 'lib/before.ts', heldBy: null }]);
  });

  test('in one worktree each session declares its own; what is held in another worktree is nobody’s to write here', async () => {
    const metadata = { machine: 'm1', worktree: '/w/one' };
    const [here, there] = [terminal(crew.lead, projectId, { metadata }), terminal(crew.member, projectId, { metadata })];
    const [dan, cat] = await Promise.all([here, there]);
    await readyFeature(dan, projectId, 'same', ['same.ts']);
    await dan.pickFeature({ projectId, slug: 'same' });
    await cat.claim({ projectId, body: { paths: ['lib/cat.ts'] } });
    await bob.claim({ projectId, body: { paths: ['lib/bob.ts'] } });
    const answer = await dan.doneFeature({ projectId, slug: 'same', body: { writes: { paths: ['lib/cat.ts', 'lib/bob.ts'] } } });
    expect(answer.undeclared?.map(({ path }) => path)).toEqual(['lib/bob.ts']);
  });

  test('derived and brief paths are declared by nobody', async () => {
    await crew.lead.updateProject({ projectId, body: { policy: { derived: ['gen/'], brief: ['package.json'] } } });
    expect((await done(['gen/a.ts', 'apps/x/package.json', 'lib/c.ts'])).undeclared?.map(({ path }) => path)).toEqual(['lib/c.ts']);
  });

  test('a project may refuse: nothing is changed until each is claimed or explained', async () => {
    await refuse();
    await bob.claim({ projectId, body: { paths: ['lib/b.ts'] } });
    const refused = await refusal(done(['src/api/a.ts', 'lib/b.ts', 'lib/c.ts']));
    expect(refused).toMatchObject({
      status: 409,
      code: 'UNDECLARED_WRITES',
      details: {
        told: true,
        undeclared: [
          { path: 'lib/b.ts', heldBy: { sessionId: bob.sessionId } },
          { path: 'lib/c.ts', heldBy: null },
        ],
      },
    });
    expect(refused.message).toContain('nexus claims add');
    expect(refused.message).toContain('nexus request');
    expect(await ann.getFeature({ projectId, slug: 'api' })).toMatchObject({ status: 'active' });
    expect((await crew.lead.history({ projectId })).items.every(({ written }) => written === null)).toBe(true);
    await ann.claim({ projectId, body: { paths: ['lib/c.ts'] } });
    expect(await refusal(done(['src/api/a.ts', 'lib/b.ts', 'lib/c.ts']))).toMatchObject({
      details: { undeclared: [{ path: 'lib/b.ts' }] },
    });
    expect(await done(['src/api/a.ts', 'lib/b.ts', 'lib/c.ts'], { explanation: 'a rename that Bob knows of' })).toMatchObject({
      status: 'done',
      undeclared: [{ path: 'lib/b.ts' }],
    });
    expect((await lastHold())?.written).toMatchObject({ undeclared: ['lib/b.ts'], explanation: 'a rename that Bob knows of' });
  });

  test('such a project takes no silence, but an empty list, or a reason; release and cancel are free', async () => {
    await refuse();
    expect(await refusal(done(undefined))).toMatchObject({ code: 'UNDECLARED_WRITES', details: { told: false, undeclared: [] } });
    await ann.releaseFeature({ projectId, slug: 'api' });
    await ann.pickFeature({ projectId, slug: 'api' });
    expect(await done([])).toMatchObject({ status: 'done', undeclared: [] });
    // A retry finds it done, whatever it tells now.
    expect(await done(undefined)).toMatchObject({ status: 'done' });
    await readyFeature(ann, projectId, 'bare', ['bare.ts']);
    await ann.pickFeature({ projectId, slug: 'bare' });
    expect(await ann.doneFeature({ projectId, slug: 'bare', body: { explanation: 'no checkout here' } })).toMatchObject({ status: 'done' });
  });

  test('a late session is told who has it, not what it wrote', async () => {
    await refuse();
    const feature = await ann.getFeature({ projectId, slug: 'api' });
    await crew.lead.forceReleaseFeature({ projectId, slug: 'api', body: { fence: feature.fence ?? 0, reason: 'test' } });
    await bob.pickFeature({ projectId, slug: 'api' });
    expect(await refusal(done(['lib/c.ts']))).toMatchObject({ code: 'FENCED' });
  });

  test('what cannot be a name below the root is a mistake of the caller, and what no claim can name is passed over', async () => {
    for (const [path, code] of [
      ['/etc/passwd', 'PATH_ABSOLUTE'],
      ['../x', 'PATH_ESCAPES'],
      ['', 'PATH_EMPTY'],
    ] as const)
      expect(await refusal(done(['src/api/a.ts', path]))).toMatchObject({ status: 400, code, details: { field: 'writes.paths[1]' } });
    expect(await refusal(done(Array.from({ length: MAX_WRITES + 1 }, (_, i) => `a${i}`)))).toMatchObject({ status: 400 });
    expect((await done(['.git/config', 'a\u0000b', 'a\nb', `${'x'.repeat(300)}`])).undeclared).toEqual([]);
  });

  test('a thousand names are taken, those left out are not called unwritten', async () => {
    const answer = await done(
      Array.from({ length: MAX_WRITES }, (_, i) => `${i % 2 ? 'src/api' : 'lib'}/${i}.ts`),
      { more: true },
    );
    expect(answer.undeclared).toHaveLength(MAX_WRITES / 2);
    expect((await lastHold())?.written).toMatchObject({ count: MAX_WRITES, unwritten: [] });
  });

  test('once more with the same key is the same answer', async () => {
    const call = () =>
      ann.doneFeature({ projectId, slug: 'api', body: { writes: { paths: ['lib/c.ts'] } } }, { idempotencyKey: 'done-once-1' });
    const first = await call();
    expect(first.undeclared).toHaveLength(1);
    expect(await call()).toEqual(first);
    expect((await crew.lead.stats({ projectId })).writes.holds).toBe(1);
  });
});
