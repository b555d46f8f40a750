import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { type Crew, createCrew, refusal } from './support.ts';

const [older, newer, head] = ['1', '2', 'f'].map((digit) => digit.repeat(40)) as [string, string, string];

onEachEngineSet('paths remember the commit that they were given back at', (set) => {
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  let ann: Client;
  let bob: Client;
  beforeAll(async () => {
    server = await startServer(set, { REGISTRATION: 'open' });
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    projectId = await crew.project();
    ann = await terminal(crew.lead, projectId);
    bob = await terminal(crew.member, projectId);
  });

  const seen = async (path: string, at = head): Promise<string[] | undefined> => {
    const { paths } = await bob.checkClaims({ projectId, body: { paths: [path], head: at } });
    return paths[0]?.finished?.map(({ path: finished, commit }) => `${finished} ${commit[0]}`);
  };
  const finish = async (slug: string, touches: string[], commit?: string): Promise<void> => {
    await readyFeature(ann, projectId, slug, touches);
    await ann.pickFeature({ projectId, slug });
    await ann.doneFeature({ projectId, slug, body: commit === undefined ? {} : { commit } });
  };

  test('and tell it to whoever checks or picks them and names its head', async () => {
    await finish('api', ['src/a.ts', 'ro:docs/x.md'], older);
    expect(await seen('src/a.ts')).toEqual(['src/a.ts 1']);
    expect(await seen('src/b.ts')).toEqual([]);
    expect(await seen('docs/x.md')).toEqual([]);
    expect(await seen('src/a.ts', older)).toEqual([]);
    expect((await bob.checkClaims({ projectId, body: { paths: ['src/a.ts'] } })).paths[0]).not.toHaveProperty('finished');
    await readyFeature(ann, projectId, 'more', ['src/a.ts', 'src/b.ts']);
    const { finished } = await bob.pickFeature({ projectId, slug: 'more', body: { head } });
    expect(finished).toEqual([
      {
        path: 'src/a.ts',
        commit: older,
        at: expect.any(String),
        engineerName: 'Lead',
        agent: 'claude',
        sessionId: (ann as Client & { sessionId: string }).sessionId,
        featureSlug: 'api',
      },
    ]);
    await bob.releaseFeature({ projectId, slug: 'more', body: { commit: newer } });
    expect((await ann.pickNext({ projectId, body: { head } })).finished?.map(({ commit }) => commit)).toEqual([newer]);
    expect(await ann.pickFeature({ projectId, slug: 'more' })).not.toHaveProperty('finished');
  });

  test('the last one each, also of directories and patterns around them, and of what lies below', async () => {
    await finish('one', ['src/a.ts', 'src/b.ts'], older);
    await finish('two', ['src/'], newer);
    expect(await seen('src/a.ts')).toEqual(['src/a.ts 2', 'src/a.ts 1']);
    await finish('three', ['src/a.ts'], head);
    expect(await seen('src/a.ts', newer)).toEqual(['src/a.ts f']);
    expect((await seen('src/', '0'.repeat(40)))?.toSorted()).toEqual(['src/ 2', 'src/a.ts f', 'src/b.ts 1']);
    await finish('four', ['lib/**/*.ts'], older);
    expect([await seen('lib/deep/x.ts'), await seen('lib/x.md'), await seen('lib/')]).toEqual([['lib/deep/x.ts 1'], [], ['lib/**/*.ts 1']]);
  });

  test('however they are given back: ad hoc, by a shrink, at the end of a session', async () => {
    await ann.claim({ projectId, body: { paths: ['src/a.ts', 'src/b.ts'] } });
    await ann.releaseClaims({ projectId, body: { paths: ['src/a.ts'], commit: older } });
    expect([await seen('src/a.ts'), await seen('src/b.ts')]).toEqual([['src/a.ts 1'], []]);
    await readyFeature(ann, projectId, 'api', ['src/b.ts', 'src/c.ts']);
    await ann.pickFeature({ projectId, slug: 'api' });
    // Two holds of one session have src/b.ts.
    const { sessionId } = ann as Client & { sessionId: string };
    await ann.endSession({ projectId, sessionId, body: { commit: newer } });
    expect([await seen('src/b.ts'), await seen('src/c.ts')]).toEqual([['src/b.ts 2'], ['src/c.ts 2']]);
  });

  test('nothing is remembered without a commit, of another project, or under a name that is no commit', async () => {
    await finish('api', ['src/a.ts']);
    expect(await seen('src/a.ts')).toEqual([]);
    const other = await crew.project();
    await readyFeature(crew.lead, other, 'api', ['src/a.ts']);
    await crew.lead.pickFeature({ projectId: other, slug: 'api' });
    const named = refusal(crew.lead.doneFeature({ projectId: other, slug: 'api', body: { commit: 'HEAD' } }));
    expect(await named).toMatchObject({ code: 'VALIDATION_ERROR' });
    await crew.lead.doneFeature({ projectId: other, slug: 'api', body: { commit: older } });
    expect(await seen('src/a.ts')).toEqual([]);
  });
});
