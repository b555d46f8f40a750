import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { eventually, onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { auditAnswers, auditIndex, auditLedger } from './lib/audit.ts';
import { type Crew, createCrew, refusal } from './support.ts';

onEachEngineSet('a named resource', (set) => {
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
  });

  const sound = async () => {
    expect(await auditLedger(server.deps.database, projectId)).toEqual([]);
    expect(await auditAnswers(crew.lead, projectId)).toEqual([]);
    expect(await auditIndex(crew.lead, projectId)).toEqual([]);
  };
  const claim = (who: Client, ...paths: string[]) => who.claim({ projectId, body: { paths } });
  const held = async () => (await crew.lead.listClaims({ projectId })).map(({ filePath, kind }) => [filePath, kind]);

  test('is claimed like a path, by a feature and ad hoc, and a conflict names its holder', async () => {
    await readyFeature(ann, projectId, 'api', ['src/', 'res:port/5432', 'ro:res:staging']);
    await ann.pickFeature({ projectId, slug: 'api' });
    expect(await held()).toEqual([
      ['src/', 'tree'],
      ['res:port/5432', 'resource'],
      ['res:staging', 'resource'],
    ]);
    expect(await refusal(claim(bob, 'lib/', 'res:PORT/5432'))).toMatchObject({
      code: 'FILE_ALREADY_CLAIMED',
      details: {
        conflicts: [{ filePath: 'res:port/5432', heldPath: 'res:port/5432', claimedBy: { featureSlug: 'api', sessionId: ann.sessionId } }],
      },
    });
    await claim(bob, 'res:port/5433', 'ro:res:staging');
    expect(
      (await bob.checkClaims({ projectId, body: { paths: ['res:port/5432', 'res:port/5433', 'res:port/5434'] } })).paths,
    ).toMatchObject([{ state: 'held', conflicts: [{ claimedBy: { sessionId: ann.sessionId } }] }, { state: 'mine' }, { state: 'free' }]);
    expect((await crew.lead.why({ projectId, query: { path: 'res:port/5432' } })).heldBy).toHaveLength(1);
    await ann.doneFeature({ projectId, slug: 'api', body: { commit: 'a'.repeat(40), writes: { paths: ['src/a.ts'] } } });
    await claim(bob, 'res:port/5432');
    // It is given back at no commit, and not writing it is no omission.
    expect((await bob.checkClaims({ projectId, body: { paths: ['res:port/5432'], head: 'b'.repeat(40) } })).paths[0]?.finished).toEqual([]);
    expect((await crew.lead.history({ projectId })).items.find(({ featureSlug }) => featureSlug === 'api')?.written?.unwritten).toEqual([]);
    await sound();
  });

  test('is no file of that name, and nothing that is claimed of the repository takes it in', async () => {
    await claim(ann, 'res:port/1');
    await claim(bob, '.', '**/*', './res:port/1');
    expect(await refusal(claim(ann, './res:port/1'))).toMatchObject({ code: 'FILE_ALREADY_CLAIMED' });
    expect(await refusal(claim(bob, 'res:port/1'))).toMatchObject({ code: 'FILE_ALREADY_CLAIMED' });
    await claim(ann, 'res:port', 'res:port/10');
    expect((await bob.checkClaims({ projectId, body: { paths: ['**', 'res:port/2'] } })).paths.map(({ state }) => state)).toEqual([
      'mine',
      'free',
    ]);
    await sound();
  });

  test('is its own on each machine, and whoever has it without one has it on all', async () => {
    await claim(ann, 'res:port/1@one');
    await claim(bob, 'res:port/1@two');
    expect(await refusal(claim(bob, 'res:port/1@one'))).toMatchObject({ code: 'FILE_ALREADY_CLAIMED' });
    const carl = await terminal(crew.member, projectId);
    expect(await refusal(claim(carl, 'res:port/1'))).toMatchObject({
      details: { conflicts: [{ heldPath: 'res:port/1@one' }, { heldPath: 'res:port/1@two' }] },
    });
    await claim(carl, 'res:port/2');
    expect(await refusal(claim(ann, 'res:port/2@one'))).toMatchObject({ details: { conflicts: [{ heldPath: 'res:port/2' }] } });
    expect((await carl.checkClaims({ projectId, body: { paths: ['res:port/2@one'] } })).paths[0]?.state).toBe('mine');
    await sound();
  });

  test('is free when its session ends, can be waited for and asked for like any path', async () => {
    await claim(ann, 'res:port/1');
    const waits = await bob.joinQueue({ projectId, body: { paths: ['res:port/1'] } });
    expect(waits.state).toBe('waiting');
    await ann.endSession({ projectId, sessionId: ann.sessionId });
    await eventually('it is given to who waits', async () => (await held()).length === 1);
    const carl = await terminal(crew.lead, projectId);
    await carl.requestPaths({ projectId, body: { paths: ['res:port/1'] } });
    await bob.yieldPaths({ projectId, body: { paths: ['res:port/1'] } });
    expect(await held()).toEqual([]);
    await sound();
  });
});
