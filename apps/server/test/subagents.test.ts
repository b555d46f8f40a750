import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { type Client, NexusError } from '@nexus/client';
import { onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { createCrew, type Crew, refusal } from './support.ts';

type Terminal = Client & { sessionId: string };

const CHILDREN = 16;

onEachEngineSet('subagents', (set) => {
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  let parent: Terminal;

  beforeAll(async () => {
    server = await startServer(set);
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    projectId = await crew.project();
    parent = await terminal(crew.lead, projectId);
  });

  const childOf = ({ sessionId }: Terminal) => terminal(crew.lead, projectId, { parentId: sessionId });
  const children = () => Promise.all(Array.from({ length: CHILDREN }, () => childOf(parent)));
  const claim = (client: Client, ...paths: string[]) => client.claim({ projectId, body: { paths } });
  const held = async () => (await parent.listClaims({ projectId })).map(({ filePath, sessionId }) => [filePath, sessionId]);

  test('of all children that claim a path of their parent at once, one gets it; the parent keeps what it has', async () => {
    await claim(parent, 'src/', 'docs/*.md');
    const crowd = await children();
    for (const path of ['src/a.ts', 'src/b*', 'docs/x.md']) {
      const answers = await Promise.allSettled(crowd.map((child) => claim(child, path)));
      const winners = crowd.filter((_, position) => answers[position]?.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      for (const answer of answers)
        if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ status: 409, code: 'FILE_ALREADY_CLAIMED' });
      expect((await held()).filter(([filePath]) => filePath === path)).toEqual([[path, winners[0]?.sessionId ?? '']]);
    }
    expect((await parent.myClaims({ projectId })).map(({ filePath }) => filePath)).toEqual(['docs/*.md', 'src/']);
  });

  test('whatever children claim while their parent ends, nothing is held and nobody is left afterwards', async () => {
    for (let round = 0; round < 3; round += 1) {
      const leaving = await terminal(crew.lead, projectId);
      const crowd = await Promise.all(Array.from({ length: CHILDREN }, () => childOf(leaving)));
      const [, ...answers] = await Promise.allSettled([
        leaving.endSession({ projectId, sessionId: leaving.sessionId, body: { reason: round % 2 === 0 ? 'ended' : 'died' } }),
        ...crowd.map((child, position) => claim(child, `src/${position}.ts`)),
        ...crowd.map((child) => childOf(child)),
      ]);
      for (const answer of answers)
        if (answer.status === 'rejected') expect([404, 410]).toContain(answer.reason instanceof NexusError ? answer.reason.status : 0);
      expect(await held()).toEqual([]);
      expect((await crew.lead.activeSessions({ projectId })).map(({ session }) => session.id)).toEqual([parent.sessionId]);
    }
  });

  test('a child picks and finishes a feature within what its parent holds; others stay out, its parent may end it', async () => {
    await readyFeature(crew.lead, projectId, 'f', ['src/a.ts', 'src/*.md']);
    await readyFeature(crew.lead, projectId, 'g', ['src/a.ts']);
    await claim(parent, 'src/');
    const [left, right] = await Promise.all([childOf(parent), childOf(parent)]);
    const stranger = await terminal(crew.member, projectId);
    await left.pickFeature({ projectId, slug: 'f' });
    expect((await refusal(right.pickFeature({ projectId, slug: 'g' }))).code).toBe('FILE_ALREADY_CLAIMED');
    expect((await refusal(stranger.pickFeature({ projectId, slug: 'g' }))).details).toMatchObject({
      conflicts: [{ heldPath: 'src/' }, { heldPath: 'src/a.ts' }],
    });
    expect((await refusal(right.doneFeature({ projectId, slug: 'f' }))).code).toBe('FENCED');
    expect((await parent.doneFeature({ projectId, slug: 'f' })).status).toBe('done');
    await right.pickFeature({ projectId, slug: 'g' });
    await right.endSession({ projectId, sessionId: right.sessionId, body: { reason: 'died' } });
    expect(await crew.lead.getFeature({ projectId, slug: 'g' })).toMatchObject({ status: 'ready', interrupted: true });
    expect(await held()).toEqual([['src/', parent.sessionId]]);
  });

  test('a child writes what its parent only reads, while nobody else reads it', async () => {
    await claim(parent, 'ro:docs/');
    const [child, stranger] = await Promise.all([childOf(parent), terminal(crew.member, projectId)]);
    await claim(child, 'docs/a.md');
    expect((await refusal(claim(stranger, 'ro:docs/a.md'))).details).toMatchObject({
      conflicts: [{ claimedBy: { sessionId: child.sessionId } }],
    });
    await claim(stranger, 'ro:docs/b.md');
    expect((await refusal(claim(child, 'docs/b.md'))).details).toMatchObject({
      conflicts: [{ claimedBy: { sessionId: stranger.sessionId } }],
    });
  });
});
