import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { MAX_GLOBS_PER_HOLD, MAX_GLOBS_PER_PROJECT } from '@nexus/contract';
import { overlaps, parseClaim } from '@nexus/paths';
import { anyTouch, runOf, samplesOf } from '@nexus/paths/testing';
import { onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { createCrew, type Crew, eventsOf, refusal } from './support.ts';

type Terminal = Client & { sessionId: string };

onEachEngineSet('globs', (set) => {
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  let one: Terminal;
  let two: Terminal;

  beforeAll(async () => {
    server = await startServer(set);
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    projectId = await crew.project();
    [one, two] = await Promise.all([terminal(crew.lead, projectId), terminal(crew.member, projectId)]);
  });

  const claim = (client: Client, ...paths: string[]) => client.claim({ projectId, body: { paths } });
  const states = async (client: Client, ...paths: string[]) =>
    (await client.checkClaims({ projectId, body: { paths } })).paths.map(({ state }) => state);
  const held = async (client: Client = one) => (await client.listClaims({ projectId })).map(({ filePath }) => filePath);

  test('a pick takes patterns as it takes paths, and a conflict names the pattern and the path', async () => {
    await readyFeature(crew.lead, projectId, 'tests', ['src/**/*.test.ts', 'ro:docs/*']);
    await readyFeature(crew.lead, projectId, 'auth', ['src/auth/', 'src/a.test.ts']);
    await readyFeature(crew.lead, projectId, 'page', ['src/page.ts', 'ro:docs/api.md']);
    const { fence } = await one.pickFeature({ projectId, slug: 'tests' });
    const refused = await refusal(two.pickFeature({ projectId, slug: 'auth' }));
    expect(refused).toMatchObject({
      status: 409,
      code: 'FILE_ALREADY_CLAIMED',
      details: {
        conflicts: [
          { filePath: 'src/auth/', heldPath: 'src/**/*.test.ts', claimedBy: { featureSlug: 'tests', fence, sessionId: one.sessionId } },
          { filePath: 'src/a.test.ts', heldPath: 'src/**/*.test.ts' },
        ],
      },
    });
    expect(refused.message).toContain('src/**/*.test.ts');
    expect(refused.message).toContain('src/auth/');
    const offered = await two.availableFeatures({ projectId });
    expect(offered.map(({ slug, blockedBy }) => [slug, blockedBy?.featureSlug ?? null])).toEqual([
      ['page', null],
      ['auth', 'tests'],
    ]);
    expect((await two.pickNext({ projectId })).slug).toBe('page');
    expect((await one.listClaims({ projectId })).map(({ filePath, kind, mode }) => [filePath, kind, mode])).toEqual([
      ['docs/*', 'glob', 'read'],
      ['docs/api.md', 'file', 'read'],
      ['src/**/*.test.ts', 'glob', 'write'],
      ['src/page.ts', 'file', 'write'],
    ]);
    await one.releaseFeature({ projectId, slug: 'tests' });
    expect((await two.pickFeature({ projectId, slug: 'auth' })).status).toBe('active');
  });

  test('whoever asks for a pattern is refused by what is held of it, by a file, a directory or another pattern', async () => {
    await claim(one, 'src/a.ts', 'lib/auth/', 'docs/**/*.md');
    for (const [pattern, heldPath] of [
      ['src/*.ts', 'src/a.ts'],
      ['lib/**/*.ts', 'lib/auth/'],
      ['d*/readme.*', 'docs/**/*.md'],
    ] as const) {
      expect(await refusal(claim(two, 'free.ts', pattern))).toMatchObject({ details: { conflicts: [{ filePath: pattern }] } });
      expect((await two.checkClaims({ projectId, body: { paths: [pattern] } })).paths[0]?.conflicts.map((one) => one.heldPath)).toContain(
        heldPath,
      );
    }
    await claim(two, 'src/*.md', 'lib/*.ts', 'docs/*.txt');
  });

  test('extend, shrink and a change of touches work on patterns, under the same fence', async () => {
    await readyFeature(crew.lead, projectId, 'f', ['src/*.ts', 'a.ts']);
    const { fence } = await one.pickFeature({ projectId, slug: 'f' });
    expect((await one.claim({ projectId, body: { paths: ['ro:lib/*.ts', 'src/*.ts'], featureSlug: 'f' } })).changed).toEqual([
      'ro:lib/*.ts',
    ]);
    expect((await one.claim({ projectId, body: { paths: ['lib/*.ts'], featureSlug: 'f' } })).changed).toEqual(['lib/*.ts']);
    expect(await states(two, 'ro:lib/x.ts', 'lib/x.md')).toEqual(['held', 'free']);
    expect((await one.releaseClaims({ projectId, body: { paths: ['SRC/*.ts'], fence: fence ?? 0 } })).paths).toEqual(['a.ts', 'lib/*.ts']);
    expect(await states(two, 'src/a.ts', 'lib/x.ts')).toEqual(['free', 'held']);
    const { touches, fence: now } = await one.updateFeature({ projectId, slug: 'f', body: { touches: ['src/**/*.ts', 'a.ts'] } });
    expect([touches, now]).toEqual([['src/**/*.ts', 'a.ts'], fence ?? 0]);
    expect(await held()).toEqual(['a.ts', 'src/**/*.ts']);
    const paths = (await eventsOf(one, projectId)).flatMap(({ type, data }) => (type.startsWith('files_') ? [[type, data['paths']]] : []));
    expect(paths.slice(-2)).toEqual([
      ['files_claimed', ['src/**/*.ts']],
      ['files_released', ['lib/*.ts']],
    ]);
  });

  test('check, verify and refresh know what one’s own patterns take in', async () => {
    await claim(one, 'src/**/*.ts', 'ro:docs/*', 'gen/*/**');
    await claim(two, 'lib/*.ts');
    expect(await states(one, 'src/x/a.ts', 'src/a.md', 'docs/a', 'ro:docs/a', 'gen/x/', 'src/x/', 'src/**/*.ts', 'lib/a.ts')).toEqual([
      'mine',
      'free',
      'free',
      'mine',
      'mine',
      'free',
      'mine',
      'held',
    ]);
    const verified = await one.verifyClaims({ projectId, body: { paths: ['src/x/a.ts', 'src/a.md', 'lib/a.ts'] } });
    expect(verified).toMatchObject({
      ours: ['src/x/a.ts'],
      theirs: [{ filePath: 'lib/a.ts', heldPath: 'lib/*.ts' }],
      unclaimed: ['src/a.md'],
    });
    expect(await one.refreshClaims({ projectId, body: { paths: ['SRC/a.ts', 'src/a.md'] } })).toEqual({
      refreshed: ['SRC/a.ts'],
      notOwned: ['src/a.md'],
    });
  });

  test('a child works under the patterns of its parent; two children keep each other out', async () => {
    const [left, right] = await Promise.all([
      terminal(crew.lead, projectId, { parentId: one.sessionId }),
      terminal(crew.lead, projectId, { parentId: one.sessionId }),
    ]);
    await claim(one, 'src/**/*.ts');
    expect(await states(left, 'src/a.ts', 'src/a.md')).toEqual(['mine', 'free']);
    await claim(left, 'src/a*.ts');
    expect(await states(right, 'src/a.ts', 'src/b.ts', 'src/?b.ts')).toEqual(['held', 'mine', 'held']);
    expect(await refusal(claim(right, 'src/*b.ts'))).toMatchObject({
      details: { conflicts: [{ claimedBy: { sessionId: left.sessionId } }] },
    });
    await left.endSession({ projectId, sessionId: left.sessionId, body: { reason: 'ended' } });
    await claim(right, 'src/*b.ts');
    await one.endSession({ projectId, sessionId: one.sessionId, body: { reason: 'ended' } });
    expect(await held(two)).toEqual([]);
    await claim(two, 'src/**/*.ts');
  });

  test('the explicit form alone reads braces and classes', async () => {
    const glob = (path: string) => ({ path, kind: 'glob' as const });
    const claimed = await one.claim({ projectId, body: { paths: [glob('src/{a,b}/*.t[sx]'), 'app/{x,y}.ts', 'app/[id].ts'] } });
    expect(claimed.paths).toEqual(['app/[id].ts', 'app/{x,y}.ts', 'src/a/*.t?', 'src/b/*.t?']);
    expect(await states(two, 'src/a/x.ts', 'src/c/x.ts', 'app/x.ts', 'app/i.ts', 'app/{x,y}.ts')).toEqual([
      'held',
      'free',
      'free',
      'free',
      'held',
    ]);
    const { paths } = await two.checkClaims({ projectId, body: { paths: [glob('src/{a,c}/x.ts')] } });
    expect(paths.map(({ path, state }) => [path, state])).toEqual([
      ['src/a/x.ts', 'held'],
      ['src/c/x.ts', 'free'],
    ]);
    const many = await refusal(two.claim({ projectId, body: { paths: ['a.ts', glob(`{${'x,'.repeat(40)}y}.ts`)] } }));
    expect(many).toMatchObject({ status: 400, code: 'PATH_GLOB_TOO_COMPLEX', details: { field: 'paths[1]' } });
  });

  test(`a hold has at most ${MAX_GLOBS_PER_HOLD} patterns, a project ${MAX_GLOBS_PER_PROJECT}; all or none`, async () => {
    const globs = (name: string, count: number) => Array.from({ length: count }, (_, at) => `${name}/*-${at}.ts`);
    expect(await refusal(claim(one, ...globs('a', MAX_GLOBS_PER_HOLD + 1)))).toMatchObject({ status: 400, details: { field: 'paths' } });
    const feature = { slug: 'f', title: 'f', spec: '', touches: globs('a', MAX_GLOBS_PER_HOLD + 1) };
    expect(await refusal(one.createFeature({ projectId, body: feature }))).toMatchObject({ status: 400, details: { field: 'touches' } });
    await readyFeature(crew.lead, projectId, 'wild', ['w/*.ts']);
    await readyFeature(crew.lead, projectId, 'plain', ['w.ts']);

    const crowd = await Promise.all(Array.from({ length: 4 }, () => terminal(crew.lead, projectId)));
    await Promise.all(crowd.map((client, at) => claim(client, ...globs(`d${at}`, MAX_GLOBS_PER_HOLD))));
    expect(await refusal(claim(crowd[0] ?? one, 'more/*.ts'))).toMatchObject({ status: 400, code: 'VALIDATION_ERROR' });
    const full = { status: 409, code: 'TOO_MANY_GLOBS' };
    expect(await refusal(claim(one, 'free.ts', 'more/*.ts'))).toMatchObject(full);
    await claim(one, 'own.ts');
    expect(await refusal(claim(one, 'free.ts', 'more/*.ts'))).toMatchObject(full);
    expect(await refusal(one.pickFeature({ projectId, slug: 'wild' }))).toMatchObject(full);
    expect(await one.myClaims({ projectId })).toMatchObject([{ filePath: 'own.ts' }]);
    expect((await one.pickNext({ projectId })).slug).toBe('plain');
    await crowd[0]?.releaseClaims({ projectId, body: { paths: ['d0/*-0.ts'] } });
    expect((await one.pickFeature({ projectId, slug: 'wild' })).status).toBe('active');
  });

  test('a check names exactly what overlaps, whatever is held', async () => {
    const { seed } = runOf(1);
    const touches = samplesOf(anyTouch, 6 * (12 + 40), seed);
    const parse = (touch: string) => {
      const parsed = parseClaim(touch);
      if (!parsed.ok) throw new Error(parsed.message);
      return parsed.claim;
    };
    for (let round = 0; round < 6; round += 1) {
      const batch = touches.slice(round * 52, (round + 1) * 52);
      const { paths: standing } = await claim(one, ...batch.slice(0, 12));
      const wanted = batch.slice(12);
      const answer = await two.checkClaims({ projectId, body: { paths: wanted } });
      const seen = answer.paths.map(({ conflicts }, at) => [wanted[at], conflicts.map(({ heldPath }) => heldPath).sort()]);
      const expected = wanted.map((touch) => [touch, standing.filter((other) => overlaps(parse(touch), parse(other))).sort()]);
      expect({ seed, seen }).toEqual({ seed, seen: expected });
      await one.releaseClaims({ projectId });
    }
  });
});
