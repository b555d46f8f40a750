import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { sql } from 'drizzle-orm';
import { eventually, onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { auditAnswers, auditIndex, auditLedger } from './lib/audit.ts';
import { type Crew, createCrew, refusal } from './support.ts';

const [commit, squashed] = ['a', 'b'].map((digit) => digit.repeat(40)) as [string, string];

onEachEngineSet('in a project that waits for landing, what is done', (set) => {
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
    await crew.lead.updateProject({ projectId, body: { policy: { landing: true } } });
    ann = await terminal(crew.lead, projectId);
    bob = await terminal(crew.member, projectId);
    await readyFeature(ann, projectId, 'api', ['src/a.ts', 'ro:docs/']);
    await readyFeature(ann, projectId, 'next', ['src/']);
    await ann.pickFeature({ projectId, slug: 'api' });
  });

  const sound = async () => {
    expect(await auditLedger(server.deps.database, projectId)).toEqual([]);
    expect(await auditAnswers(crew.lead, projectId)).toEqual([]);
    expect(await auditIndex(crew.lead, projectId)).toEqual([]);
  };
  const held = async () => (await crew.lead.listClaims({ projectId })).map(({ filePath }) => filePath);

  test('keeps what it wrote, under a new fence and with no gap, and is active no more', async () => {
    const { fence } = await ann.getFeature({ projectId, slug: 'api' });
    const done = await ann.doneFeature({ projectId, slug: 'api', body: { commit } });
    expect(done).toMatchObject({
      status: 'done',
      heldBy: null,
      fence: null,
      warnings: [expect.stringContaining('nexus feature landed api')],
    });
    const [claim, ...others] = await crew.lead.listClaims({ projectId });
    expect(others).toEqual([]);
    expect(claim).toMatchObject({ filePath: 'src/a.ts', featureSlug: 'api', parked: true, expiresAt: null, landing: { commit } });
    expect(claim?.fence).toBeGreaterThan(fence ?? 0);
    const refused = await refusal(bob.pickFeature({ projectId, slug: 'next' }));
    expect(refused).toMatchObject({
      code: 'FILE_ALREADY_CLAIMED',
      details: { conflicts: [{ claimedBy: { featureSlug: 'api', landing: { commit } } }] },
    });
    expect((await crew.lead.status({ projectId })).activeFeatures).toEqual([]);
    // Once more is the same, and the session goes on: with its own paths, with others, and in the queue.
    expect(await ann.doneFeature({ projectId, slug: 'api', body: { commit } })).toMatchObject({ status: 'done' });
    expect((await ann.joinQueue({ projectId, body: { featureSlug: 'next' } })).state).toBe('granted');
    await sound();
  });

  test('frees it when it has landed, and later takers are told of the commit that has it', async () => {
    await ann.doneFeature({ projectId, slug: 'api', body: { commit } });
    expect(await bob.landedFeature({ projectId, slug: 'api', body: { commit: squashed } })).toMatchObject({ status: 'done' });
    expect(await bob.landedFeature({ projectId, slug: 'api' })).toMatchObject({ status: 'done' });
    const { finished } = await bob.pickFeature({ projectId, slug: 'next', body: { head: commit } });
    expect(finished).toMatchObject([{ path: 'src/a.ts', commit: squashed, featureSlug: 'api', engineerName: 'Lead' }]);
    await sound();
  });

  test('keeps it when its session ends or is lost, and frees it when its engineer leaves the project', async () => {
    const other = await terminal(crew.member, projectId);
    await readyFeature(ann, projectId, 'docs', ['docs/x.md']);
    await ann.doneFeature({ projectId, slug: 'api', body: { commit } });
    await other.pickFeature({ projectId, slug: 'docs' });
    await other.doneFeature({ projectId, slug: 'docs' });
    await ann.endSession({ projectId, sessionId: ann.sessionId });
    await other.endSession({ projectId, sessionId: other.sessionId, body: { reason: 'died' } });
    expect(await held()).toEqual(['docs/x.md', 'src/a.ts']);
    await sound();
    await crew.lead.removeMember({ projectId, engineerId: crew.member.engineer.id });
    expect(await held()).toEqual(['src/a.ts']);
    expect(await crew.lead.getFeature({ projectId, slug: 'docs' })).toMatchObject({ status: 'done', interrupted: false });
    await sound();
  });

  test('frees it after 72 h in any case, and stays done', async () => {
    await ann.doneFeature({ projectId, slug: 'api', body: { commit } });
    const back = (hours: number) =>
      server.deps.database.db.execute(
        sql`update holds set parked_at = now() - make_interval(hours => ${hours}) where project_id = ${projectId} and landing_of is not null`,
      );
    await back(71);
    await server.deps.sweep.once();
    expect(await held()).toEqual(['src/a.ts']);
    await back(73);
    await eventually('the paths are free', async () => (await held()).length === 0);
    expect(await crew.lead.getFeature({ projectId, slug: 'api' })).toMatchObject({ status: 'done', interrupted: false });
    const { paths } = await bob.checkClaims({ projectId, body: { paths: ['src/a.ts'], head: squashed } });
    expect(paths[0]?.finished?.map((one) => one.commit)).toEqual([commit]);
    await sound();
  });

  test('is no hold that anybody extends, shrinks, resumes, asks for or takes; what is not done cannot land', async () => {
    expect(await refusal(bob.landedFeature({ projectId, slug: 'api' }))).toMatchObject({ code: 'INVALID_STATUS_TRANSITION' });
    expect(await refusal(bob.landedFeature({ projectId, slug: 'nothing' }))).toMatchObject({ code: 'NOT_FOUND' });
    await ann.doneFeature({ projectId, slug: 'api', body: { commit } });
    const [claim] = await crew.lead.listClaims({ projectId });
    const fence = claim?.fence ?? 0;
    expect(await refusal(ann.claim({ projectId, body: { paths: ['src/b.ts'], fence } }))).toMatchObject({ code: 'FENCED' });
    expect(await refusal(ann.releaseClaims({ projectId, body: { paths: ['src/a.ts'], fence } }))).toMatchObject({ code: 'FENCED' });
    expect(await refusal(bob.resumeFeature({ projectId, slug: 'api' }))).toMatchObject({ code: 'INVALID_STATUS_TRANSITION' });
    const asked = await refusal(bob.requestPaths({ projectId, body: { paths: ['src/a.ts'] } }));
    expect(asked).toMatchObject({ code: 'FILE_ALREADY_CLAIMED', details: { conflicts: [{ claimedBy: { landing: { commit } } }] } });
    // Ad hoc claims of the session have a hold of their own.
    expect(await ann.claim({ projectId, body: { paths: ['src/b.ts'] } })).toMatchObject({ paths: ['src/b.ts'] });
    await ann.releaseClaims({ projectId });
    expect(await held()).toEqual(['src/a.ts']);
    await sound();
  });

  test('does not keep its resources: no commit brings those', async () => {
    await readyFeature(ann, projectId, 'db', ['db.ts', 'res:port/5432']);
    await ann.pickFeature({ projectId, slug: 'db' });
    await ann.doneFeature({ projectId, slug: 'db', body: { commit } });
    expect((await held()).filter((path) => /db|res/.test(path))).toEqual(['db.ts']);
    await sound();
  });
});
