import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import type { Conflict } from '@nexus/contract';
import { onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { createCrew, type Crew, eventsOf, refusal } from './support.ts';

type Terminal = Client & { sessionId: string };

onEachEngineSet('claims', (set) => {
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  /** Two terminals of the same engineer, and one of a colleague. */
  let one: Terminal;
  let two: Terminal;
  let colleague: Terminal;

  beforeAll(async () => {
    server = await startServer(set);
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    projectId = await crew.project();
    [one, two, colleague] = await Promise.all([
      terminal(crew.lead, projectId),
      terminal(crew.lead, projectId),
      terminal(crew.member, projectId),
    ]);
  });

  const claim = (client: Client, ...paths: string[]) => client.claim({ projectId, body: { paths } });
  const giveBack = (client: Client, ...paths: string[]) =>
    client.releaseClaims({ projectId, ...(paths.length > 0 ? { body: { paths } } : {}) });
  const held = async (client: Client = one) =>
    (await client.listClaims({ projectId })).map(({ filePath, mode }) => (mode === 'read' ? `ro:${filePath}` : filePath));
  const states = async (client: Client, ...paths: string[]) =>
    (await client.checkClaims({ projectId, body: { paths } })).paths.map(({ state }) => state);
  const conflictsOf = async (call: Promise<unknown>): Promise<Conflict[]> => {
    const refused = await refusal(call);
    expect([refused.status, refused.code]).toEqual([409, 'FILE_ALREADY_CLAIMED']);
    return (refused.details as { conflicts: Conflict[] }).conflicts;
  };

  describe('what overlaps what', () => {
    const refusedBeside: Array<[string, string]> = [
      ['src/a.ts', 'src/a.ts'],
      ['src/', 'src/a.ts'],
      ['src/a.ts', 'src/'],
      ['src/', 'src/deep/er/'],
      ['src/deep/er/', 'src/'],
      ['.', 'x'],
      ['x', '.'],
      ['src/**', 'src/a.ts'],
      ['ro:src/', 'src/a.ts'],
      ['src/a.ts', 'ro:src/'],
      ['src/a', 'src/a/b.ts'],
      ['src/**/*.ts', 'src/deep/er/a.ts'],
      ['src/deep/er/a.ts', 'src/**/*.ts'],
      ['src/**/*.ts', 'src/auth/'],
      ['src/auth/', 'src/**/*.ts'],
      ['src/**/*.ts', '.'],
      ['.', '**/*.ts'],
      ['src/**/*.ts', '**/a.*'],
      ['**/a.*', 'src/**/*.ts'],
      ['SRC/*.TS', 'src/a.ts'],
      ['ro:src/*.ts', 'src/a.ts'],
      ['src/a.ts', 'ro:src/*.ts'],
      ['db/migrations/2026*', 'db/migrations/20261128_x.sql'],
    ];
    for (const [first, second] of refusedBeside) {
      test(`who holds ${first} keeps others out of ${second}`, async () => {
        await claim(one, first);
        expect(await states(two, second)).toEqual(['held']);
        const conflicts = await conflictsOf(claim(two, second));
        expect(conflicts.map(({ claimedBy }) => claimedBy.sessionId)).toEqual([one.sessionId]);
        expect(await held()).toHaveLength(1);
      });
    }

    const grantedBeside: Array<[string, string]> = [
      ['src/a.ts', 'src/b.ts'],
      ['src/', 'src2/'],
      ['src/a', 'src/ab'],
      ['src/a/', 'src/a.ts'],
      ['ro:src/', 'ro:src/a.ts'],
      ['ro:src/a.ts', 'ro:.'],
      ['src/**/*.ts', 'src/a.md'],
      ['src/a.md', 'src/**/*.ts'],
      ['src/*.ts', 'src/auth/'],
      ['src/auth/', 'src/*.ts'],
      ['src/*.ts', 'src/*.md'],
      ['ro:src/*.ts', 'ro:src/a.ts'],
      ['app/[id]/page.tsx', 'app/i/page.tsx'],
    ];
    for (const [first, second] of grantedBeside) {
      test(`${first} and ${second} are held side by side`, async () => {
        await claim(one, first);
        expect(await states(two, second)).toEqual(['free']);
        await claim(two, second);
        expect(await held()).toHaveLength(2);
      });
    }

    test('every spelling of a path is the same path', async () => {
      await claim(one, 'src/Été.ts');
      const spellings = [
        './src/Été.ts',
        'src//Été.ts',
        'src/x/../Été.ts',
        'SRC/ÉTÉ.TS',
        'src\\Été.ts',
        'src/E\u0301te\u0301.ts',
        'src/Été.ts.',
        'src/\u200cÉté.ts',
      ];
      expect(await states(two, ...spellings)).toEqual(spellings.map(() => 'held'));
      for (const spelling of spellings) expect(await conflictsOf(claim(two, spelling))).toMatchObject([{ heldPath: 'src/Été.ts' }]);
      expect(await states(one, ...spellings)).toEqual(spellings.map(() => 'mine'));
      await giveBack(one, 'SRC/./ÉTÉ.TS');
      expect(await held()).toEqual([]);
    });

    const refusedPaths: Array<[string, string]> = [
      ['../x', 'PATH_ESCAPES'],
      ['a/../../x', 'PATH_ESCAPES'],
      ['/etc/passwd', 'PATH_ABSOLUTE'],
      ['C:\\x', 'PATH_ABSOLUTE'],
      ['~/x', 'PATH_ABSOLUTE'],
      ['', 'PATH_EMPTY'],
      ['.git/config', 'PATH_GITDIR'],
      [`*${'a'.repeat(254)}/${'b'.repeat(9)}`, 'PATH_GLOB_TOO_COMPLEX'],
      ['res:port/', 'PATH_RESOURCE'],
      ['a\u0000b', 'PATH_CONTROL'],
      ['a\ud800b', 'PATH_ENCODING'],
      ['a/. ./b', 'PATH_EMPTY_SEGMENT'],
      ['x/'.repeat(65), 'PATH_TOO_LONG'],
    ];
    test('what is no path of the repository is refused, and the entry named', async () => {
      for (const [path, code] of refusedPaths) {
        for (const call of [() => claim(one, 'fine.ts', path), () => one.checkClaims({ projectId, body: { paths: ['fine.ts', path] } })]) {
          expect(await refusal(call())).toMatchObject({ status: 400, code, details: { field: 'paths[1]' } });
        }
        const refused = await refusal(one.createFeature({ projectId, body: { slug: 'f', title: 'f', spec: '', touches: [path] } }));
        expect(refused).toMatchObject({ code, details: { field: 'touches[0]' } });
      }
      expect(await held()).toEqual([]);
    });

    test('the explicit form says kind and mode', async () => {
      await one.claim({
        projectId,
        body: {
          paths: [
            { path: 'src', kind: 'tree', mode: 'read' },
            { path: 'ro:lib', mode: 'write' },
          ],
        },
      });
      expect((await one.listClaims({ projectId })).map(({ filePath, kind, mode }) => [filePath, kind, mode])).toEqual([
        ['lib', 'file', 'write'],
        ['src/', 'tree', 'read'],
      ]);
    });
  });

  describe('who stands in whose way', () => {
    test('two terminals of one engineer keep each other out', async () => {
      await claim(one, 'a.ts');
      expect(await conflictsOf(claim(two, 'a.ts'))).toMatchObject([{ claimedBy: { engineerName: 'Lead', sessionId: one.sessionId } }]);
    });

    test('holds of one session may overlap, and one may end without the other', async () => {
      await readyFeature(crew.lead, projectId, 'f', ['src/a.ts']);
      await claim(one, 'src/');
      await one.pickFeature({ projectId, slug: 'f' });
      expect(await held()).toEqual(['src/', 'src/a.ts']);
      await one.releaseFeature({ projectId, slug: 'f' });
      expect(await held()).toEqual(['src/']);
      await giveBack(one);
      expect(await states(two, 'src/a.ts')).toEqual(['free']);
    });

    test('a child works under the claims of its parent; two children keep each other out', async () => {
      const [left, right] = await Promise.all([
        terminal(crew.lead, projectId, { parentId: one.sessionId }),
        terminal(crew.lead, projectId, { parentId: one.sessionId }),
      ]);
      await claim(one, 'src/');
      expect(await states(left, 'src/a.ts')).toEqual(['mine']);
      await claim(left, 'src/a.ts');
      await claim(right, 'src/b.ts');
      expect(await conflictsOf(claim(right, 'src/a.ts'))).toMatchObject([{ claimedBy: { sessionId: left.sessionId } }]);
      const grandchild = await terminal(crew.lead, projectId, { parentId: left.sessionId });
      await claim(grandchild, 'src/a.ts', 'src/c.ts');
      expect((await conflictsOf(claim(two, 'src/a.ts'))).map(({ claimedBy }) => claimedBy.sessionId).sort()).toEqual(
        [one.sessionId, left.sessionId, grandchild.sessionId].sort(),
      );
    });

    test('a conflict names path, engineer, session, agent, feature, since when and until when', async () => {
      await readyFeature(crew.lead, projectId, 'f', ['Src/']);
      const { id, fence, claimedAt } = await colleague.pickFeature({ projectId, slug: 'f' });
      const conflicts = await conflictsOf(claim(one, 'free.ts', 'src/a.ts'));
      expect(conflicts).toEqual([
        {
          filePath: 'src/a.ts',
          heldPath: 'Src/',
          mode: 'write',
          claimedBy: {
            engineerId: crew.member.engineer.id,
            engineerName: 'Mem',
            sessionId: colleague.sessionId,
            agent: 'claude',
            featureId: id,
            featureSlug: 'f',
            fence: fence ?? 0,
            claimedAt: claimedAt ?? '',
            expiresAt: expect.any(String),
            parked: false,
          },
        },
      ]);
      expect(Date.parse(conflicts[0]?.claimedBy.expiresAt ?? '')).toBeGreaterThan(Date.now() + 60_000);
      expect((await one.checkClaims({ projectId, body: { paths: ['src/a.ts'] } })).paths[0]?.conflicts).toMatchObject([
        { claimedBy: { fence, featureSlug: 'f' } },
      ]);
    });
  });

  describe('ad hoc claims', () => {
    test('the first makes a hold, the next ones extend it under the same fence', async () => {
      const first = await claim(one, 'a.ts', 'b/');
      expect(first).toEqual({ fence: expect.any(Number), featureSlug: null, paths: ['a.ts', 'b/'], changed: ['a.ts', 'b/'] });
      expect(await claim(one, 'a.ts', 'c.ts')).toEqual({ ...first, paths: ['a.ts', 'b/', 'c.ts'], changed: ['c.ts'] });
      expect(await giveBack(one, 'a.ts', 'never-held.ts')).toEqual({ ...first, paths: ['b/', 'c.ts'], changed: ['a.ts'] });
      expect(await giveBack(one)).toMatchObject({ fence: first.fence, paths: [], changed: ['b/', 'c.ts'] });
      expect(await giveBack(one)).toMatchObject({ paths: [], changed: [] });
      expect((await claim(one, 'a.ts')).fence).toBeGreaterThan(first.fence);
    });

    test('all or nothing: one path in the way, and none is claimed', async () => {
      await claim(colleague, 'theirs.ts');
      await claim(one, 'own.ts');
      const head = (await eventsOf(one, projectId)).length;
      await conflictsOf(claim(one, 'x.ts', 'theirs.ts', 'y.ts'));
      await conflictsOf(claim(two, 'x.ts', 'theirs.ts'));
      expect(await held()).toEqual(['own.ts', 'theirs.ts']);
      expect(await eventsOf(one, projectId)).toHaveLength(head);
    });

    test('reading becomes writing when nobody else reads; else it is refused and stays reading', async () => {
      await claim(one, 'ro:a.ts', 'ro:b.ts');
      await claim(two, 'ro:a.ts');
      expect(await conflictsOf(claim(one, 'b.ts', 'a.ts'))).toMatchObject([
        { filePath: 'a.ts', mode: 'read', claimedBy: { sessionId: two.sessionId } },
      ]);
      expect(await held()).toEqual(['ro:a.ts', 'ro:a.ts', 'ro:b.ts']);
      await giveBack(two);
      expect((await claim(one, 'a.ts')).changed).toEqual(['a.ts']);
      expect(await held()).toEqual(['a.ts', 'ro:b.ts']);
      await conflictsOf(claim(two, 'ro:a.ts'));
    });

    test('claiming again in another form never weakens what is held', async () => {
      await claim(one, 'dir', 'ro:tree/');
      expect((await claim(one, 'ro:dir/', 'tree')).paths).toEqual(['dir/', 'tree/']);
      expect((await claim(one, 'ro:dir', 'tree/')).changed).toEqual([]);
      expect(await held()).toEqual(['dir/', 'tree/']);
      await conflictsOf(claim(two, 'ro:dir/x.ts'));
      await conflictsOf(claim(two, 'ro:tree/x.ts'));
    });

    test('a feature takes one more path, and gives it back, under its own fence', async () => {
      await readyFeature(crew.lead, projectId, 'f', ['f.ts']);
      await crew.lead.updateFeature({ projectId, slug: 'f', body: { title: 'The title' } });
      const { fence } = await one.pickFeature({ projectId, slug: 'f' });
      expect(await one.claim({ projectId, body: { paths: ['more.ts'], featureSlug: 'f' } })).toEqual({
        fence: fence ?? 0,
        featureSlug: 'f',
        paths: ['f.ts', 'more.ts'],
        changed: ['more.ts'],
      });
      expect((await one.releaseClaims({ projectId, body: { paths: ['more.ts'], fence: fence ?? 0 } })).paths).toEqual(['f.ts']);
      for (const call of [
        () => two.claim({ projectId, body: { paths: ['x.ts'], fence: fence ?? 0 } }),
        () => two.releaseClaims({ projectId, body: { paths: ['f.ts'], fence: fence ?? 0 } }),
        () => one.claim({ projectId, body: { paths: ['x.ts'], fence: 999 } }),
        () => one.claim({ projectId, body: { paths: ['x.ts'], featureSlug: 'nothing' } }),
      ]) {
        expect(await refusal(call())).toMatchObject({ status: 409, code: 'FENCED' });
      }
      const events = (await eventsOf(one, projectId)).filter(({ data }) => JSON.stringify(data).includes('more.ts'));
      expect(events.map(({ type, feature }) => [type, feature?.slug, feature?.title])).toEqual([
        ['files_claimed', 'f', 'The title'],
        ['files_released', 'f', 'The title'],
      ]);
    });

    test('a parent extends and shrinks what its child holds', async () => {
      const child = await terminal(crew.lead, projectId, { parentId: one.sessionId });
      const { fence } = await claim(child, 'a.ts');
      expect((await one.claim({ projectId, body: { paths: ['b.ts'], fence } })).paths).toEqual(['a.ts', 'b.ts']);
      expect((await child.myClaims({ projectId })).map(({ filePath }) => filePath)).toEqual(['a.ts', 'b.ts']);
      await one.releaseClaims({ projectId, body: { fence } });
      expect(await held()).toEqual([]);
    });

    test('500 paths are one hold; the 501st is refused', async () => {
      const many = Array.from({ length: 500 }, (_, at) => `src/f${at}.ts`);
      expect((await claim(one, ...many)).paths).toHaveLength(500);
      expect(await refusal(claim(one, 'one-more.ts'))).toMatchObject({
        status: 400,
        code: 'VALIDATION_ERROR',
        details: { field: 'paths' },
      });
      expect((await claim(one, ...many)).changed).toEqual([]);
      expect(await refusal(claim(two, ...many, 'x.ts'))).toMatchObject({ status: 400, details: { field: 'paths' } });
      expect((await conflictsOf(claim(two, 'src/'))).length).toBeGreaterThan(9);
      expect((await giveBack(one)).changed).toHaveLength(500);
    });
  });

  describe('check, mine, refresh, list', () => {
    test('check tells free, mine and held with every holder, and changes nothing', async () => {
      await claim(one, 'mine.ts', 'ro:docs/');
      await claim(two, 'ro:docs/');
      await claim(colleague, 'theirs/', 'ro:docs/a.md');
      const head = (await eventsOf(one, projectId)).length;
      const { paths, degraded } = await one.checkClaims({
        projectId,
        body: { paths: ['free.ts', 'mine.ts', 'theirs/x.ts', 'ro:docs/a.md', 'docs/a.md'] },
      });
      expect(degraded).toBe(false);
      expect(paths.map(({ path, state }) => [path, state])).toEqual([
        ['free.ts', 'free'],
        ['mine.ts', 'mine'],
        ['theirs/x.ts', 'held'],
        ['docs/a.md', 'mine'],
        ['docs/a.md', 'held'],
      ]);
      expect(paths[4]?.conflicts.map(({ claimedBy, heldPath }) => `${heldPath} ${claimedBy.sessionId}`).sort()).toEqual([
        `docs/ ${two.sessionId}`,
        `docs/a.md ${colleague.sessionId}`,
      ]);
      expect(await eventsOf(one, projectId)).toHaveLength(head);
    });

    test('someone who is no holder, and a bare client, may check', async () => {
      await claim(one, 'a.ts');
      expect(await states(crew.readonly, 'a.ts', 'b.ts')).toEqual(['held', 'free']);
      expect(await states(crew.lead, 'a.ts', 'b.ts')).toEqual(['held', 'free']);
    });

    test('mine is the acting session’s, list is everyone’s', async () => {
      const { fence } = await claim(one, 'a.ts');
      await claim(colleague, 'b/');
      expect(await one.myClaims({ projectId })).toMatchObject([
        { filePath: 'a.ts', sessionId: one.sessionId, fence, featureId: null, featureSlug: null, parked: false, projectId },
      ]);
      expect(await two.myClaims({ projectId })).toEqual([]);
      expect(await crew.lead.myClaims({ projectId })).toEqual([]);
      expect(
        (await crew.readonly.listClaims({ projectId })).map(({ filePath, kind, engineerName }) => [filePath, kind, engineerName]),
      ).toEqual([
        ['a.ts', 'file', 'Lead'],
        ['b/', 'tree', 'Mem'],
      ]);
    });

    test('refresh says which paths the session holds', async () => {
      await claim(one, 'a.ts', 'src/');
      await claim(two, 'b.ts');
      expect(await one.refreshClaims({ projectId })).toEqual({ refreshed: ['a.ts', 'src/'], notOwned: [] });
      expect(await one.refreshClaims({ projectId, body: { paths: ['a.ts', 'src/deep.ts', 'b.ts', 'c.ts'] } })).toEqual({
        refreshed: ['a.ts', 'src/deep.ts'],
        notOwned: ['b.ts', 'c.ts'],
      });
    });

    test('ending one feature leaves the claims of the session’s other feature and its ad hoc ones', async () => {
      await readyFeature(crew.lead, projectId, 'a', ['a.ts', 'both.ts']);
      await readyFeature(crew.lead, projectId, 'b', ['b.ts', 'both.ts']);
      await one.pickFeature({ projectId, slug: 'a' });
      await one.pickFeature({ projectId, slug: 'b' });
      await claim(one, 'both.ts', 'c.ts');
      await one.doneFeature({ projectId, slug: 'a' });
      expect(await held()).toEqual(['b.ts', 'both.ts', 'both.ts', 'c.ts']);
      expect(await states(two, 'both.ts', 'a.ts')).toEqual(['held', 'free']);
      await one.releaseFeature({ projectId, slug: 'b' });
      expect(await held()).toEqual(['both.ts', 'c.ts']);
    });
  });
});
