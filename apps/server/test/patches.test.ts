import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import type { Client } from '@nexus/client';
import { MAX_PATCH_BYTES } from '@nexus/contract';
import { eventually, onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { auditLedger } from './lib/audit.ts';
import { createCrew, type Crew, eventsOf, raw, refusal } from './support.ts';

type Terminal = Client & { sessionId: string };

/** As git writes it: one line of each path. */
const diffOf = (...paths: string[]) =>
  paths
    .map(
      (path) =>
        `diff --git a/${path} b/${path}\nindex ${'1'.repeat(40)}..${'2'.repeat(40)} 100644\n--- a/${path}\n+++ b/${path}\n@@ -1 +1 @@\n-one\n+two\n`,
    )
    .join('');

onEachEngineSet('patches', (set) => {
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  let holder: Terminal;
  let author: Terminal;

  beforeAll(async () => {
    server = await startServer(set);
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    projectId = await crew.project();
    holder = await terminal(crew.lead, projectId);
    author = await terminal(crew.member, projectId);
  });

  const claim = (client: Client, ...paths: string[]) => client.claim({ projectId, body: { paths } });
  const offer = (...paths: string[]) => author.offerPatch({ projectId, body: { diff: diffOf(...paths), why: 'one route' } });
  const applied = (client: Client, patchId: string) => client.patchApplied({ projectId, patchId });
  const read = (patchId: string) => crew.lead.getPatch({ projectId, patchId });
  const told = async (agent: Terminal) => {
    const { patches } = await agent.heartbeat({ projectId, sessionId: agent.sessionId });
    return patches.map(({ id, news, state }) => [id, news, state]);
  };
  const tells = (agent: Terminal, ...expected: unknown[][]) =>
    eventually(`it is told ${JSON.stringify(expected)}`, async () => Bun.deepEquals(await told(agent), expected));
  const happened = async () =>
    (await eventsOf(crew.lead, projectId))
      .filter(({ type }) => type.startsWith('patch_'))
      .map(({ type, data }) => [type, data['as'] ?? null]);

  test('the holder is told, applies it, and its author is told that', async () => {
    await readyFeature(crew.lead, projectId, 'api', ['src/']);
    await holder.pickFeature({ projectId, slug: 'api' });
    await readyFeature(crew.lead, projectId, 'ui', ['ui/']);
    await author.pickFeature({ projectId, slug: 'ui' });
    const patch = await offer('src/routes.ts');
    expect(patch).toMatchObject({
      paths: ['src/routes.ts'],
      state: 'open',
      why: 'one route',
      bytes: diffOf('src/routes.ts').length,
      freeSince: null,
      author: { engineerName: 'Mem', sessionId: author.sessionId, agent: 'claude', featureSlug: 'ui' },
    });
    await tells(holder, [patch.id, 'offered', 'open']);
    expect(await told(author)).toEqual([]);
    expect((await holder.listPatches({ projectId, query: { box: 'for_me' } })).items).toEqual([patch]);
    expect((await author.listPatches({ projectId, query: { box: 'for_me' } })).items).toEqual([]);
    expect((await author.listPatches({ projectId, query: { box: 'mine' } })).items).toEqual([patch]);
    expect((await crew.lead.why({ projectId, query: { path: 'src/' } })).patches).toEqual([patch]);
    expect((await crew.readonly.status({ projectId })).patches).toEqual([patch]);
    expect(await crew.readonly.getPatch({ projectId, patchId: patch.id })).toEqual({
      ...patch,
      diff: diffOf('src/routes.ts'),
      files: [{ path: 'src/routes.ts', before: '1'.repeat(40), after: '2'.repeat(40) }],
    });

    const fence = (await crew.lead.getFeature({ projectId, slug: 'api' })).fence;
    const commit = 'a'.repeat(40);
    const done = await holder.patchApplied({ projectId, patchId: patch.id, body: { commit } });
    expect(done).toMatchObject({ state: 'applied', fence, commit, closedBy: { sessionId: holder.sessionId } });
    expect(await applied(holder, patch.id)).toEqual(done);
    await tells(author, [patch.id, 'closed', 'applied']);
    expect(await told(holder)).toEqual([]);
    expect((await author.listPatches({ projectId })).items).toEqual([]);
    expect((await author.listPatches({ projectId, query: { state: 'any' } })).items).toEqual([done]);
    expect(await happened()).toEqual([
      ['patch_offered', null],
      ['patch_applied', 'applied'],
    ]);
    expect(await auditLedger(server.deps.database, projectId)).toEqual([]);
  });

  test('only who holds every path says that it is applied; who does not is told who does', async () => {
    await claim(holder, 'a.ts');
    const patch = await offer('a.ts', 'b.ts');
    expect(await refusal(applied(author, patch.id))).toMatchObject({
      code: 'FILE_ALREADY_CLAIMED',
      details: { conflicts: [{ filePath: 'a.ts' }] },
    });
    expect(await refusal(applied(holder, patch.id))).toMatchObject({ code: 'FENCED', details: { paths: ['b.ts'] } });
    await claim(holder, 'ro:b.ts');
    expect((await refusal(applied(holder, patch.id))).code).toBe('FENCED');
    await claim(holder, 'b.ts');
    expect((await applied(holder, patch.id)).state).toBe('applied');
  });

  test('a late holder says nothing of files that it lost meanwhile', async () => {
    await claim(holder, 'a.ts');
    const patch = await offer('a.ts');
    await crew.lead.endSession({ projectId, sessionId: holder.sessionId, body: { reason: 'died' } });
    expect((await refusal(applied(holder, patch.id))).code).toBe('SESSION_LOST');
    await claim(author, 'a.ts');
    await applied(author, patch.id);
    expect(await read(patch.id)).toMatchObject({ state: 'applied', closedBy: { sessionId: author.sessionId } });
  });

  test.each(['released', 'lost', 'given back'])('when the holder’s paths are %s, its author is told that they are free', async (how) => {
    await readyFeature(crew.lead, projectId, 'api', ['src/']);
    await holder.pickFeature({ projectId, slug: 'api' });
    const patch = await offer('src/a.ts');
    if (how === 'released') await holder.doneFeature({ projectId, slug: 'api' });
    if (how === 'lost') await crew.lead.endSession({ projectId, sessionId: holder.sessionId, body: { reason: 'died' } });
    if (how === 'given back') await holder.yieldPaths({ projectId, body: { paths: ['src/a.ts'] } });
    await tells(author, [patch.id, 'free', 'open']);
    expect((await read(patch.id)).freeSince).not.toBeNull();
    // Somebody else came first: it is theirs to apply then, and the author hears of the next time.
    const other = await terminal(crew.lead, projectId);
    await claim(other, 'src/a.ts');
    await tells(other, [patch.id, 'offered', 'open']);
    await eventually('it is not free', async () => (await read(patch.id)).freeSince === null);
    await other.releaseClaims({ projectId });
    await tells(author, [patch.id, 'free', 'open']);
    await claim(author, 'src/a.ts');
    expect((await applied(author, patch.id)).state).toBe('applied');
    expect((await happened()).map(([type]) => type)).toEqual(['patch_offered', 'patch_free', 'patch_free', 'patch_applied']);
  });

  test('where its author is gone, whoever goes on with the author’s feature is told', async () => {
    await readyFeature(crew.lead, projectId, 'ui', ['ui/']);
    await author.pickFeature({ projectId, slug: 'ui' });
    await claim(holder, 'a.ts');
    const patch = await offer('a.ts');
    await crew.member.endSession({ projectId, sessionId: author.sessionId, body: { reason: 'died' } });
    const heir = await terminal(crew.member, projectId);
    await heir.resumeFeature({ projectId, slug: 'ui' });
    await holder.rejectPatch({ projectId, patchId: patch.id, body: { reason: 'it moved' } });
    await tells(heir, [patch.id, 'closed', 'rejected']);
  });

  test('rejected, withdrawn or replaced it is over, once; a lead may do each', async () => {
    await claim(holder, 'a.ts');
    const [first, second, third] = [await offer('a.ts'), await offer('a.ts'), await offer('a.ts')];
    const outsider = await terminal(crew.member, projectId);
    expect((await refusal(outsider.rejectPatch({ projectId, patchId: first.id }))).code).toBe('FENCED');
    const rejected = await holder.rejectPatch({ projectId, patchId: first.id, body: { reason: 'it moved' } });
    expect(rejected).toMatchObject({ state: 'rejected', note: 'it moved', closedBy: { engineerName: 'Lead' } });
    expect(await holder.rejectPatch({ projectId, patchId: first.id })).toEqual(rejected);
    const late = await refusal(author.withdrawPatch({ projectId, patchId: first.id }));
    expect([late.code, late.message]).toEqual(['INVALID_STATUS_TRANSITION', expect.stringContaining('rejected by Lead (claude)')]);
    expect((await refusal(applied(holder, first.id))).code).toBe('INVALID_STATUS_TRANSITION');

    const again = await author.offerPatch({ projectId, body: { diff: diffOf('a.ts'), replaces: second.id } });
    expect(await read(second.id)).toMatchObject({ state: 'superseded', note: `Patch ${again.id} came in its place.` });
    expect((await refusal(author.offerPatch({ projectId, body: { diff: diffOf('a.ts'), replaces: second.id } }))).code).toBe(
      'INVALID_STATUS_TRANSITION',
    );
    expect((await refusal(holder.offerPatch({ projectId, body: { diff: diffOf('b.ts'), replaces: third.id } }))).code).toBe(
      'INVALID_STATUS_TRANSITION',
    );
    const taken = await author.withdrawPatch({ projectId, patchId: third.id });
    expect([taken.state, await author.withdrawPatch({ projectId, patchId: third.id })]).toEqual(['withdrawn', taken]);
    await claim(author, 'c.ts');
    const own = await holder.offerPatch({ projectId, body: { diff: diffOf('c.ts') } });
    expect((await refusal(author.withdrawPatch({ projectId, patchId: own.id }))).code).toBe('INSUFFICIENT_ROLE');
    expect((await crew.lead.rejectPatch({ projectId, patchId: again.id })).state).toBe('rejected');
    expect((await happened()).filter(([type]) => type !== 'patch_offered')).toEqual([
      ['patch_rejected', 'rejected'],
      ['patch_withdrawn', 'superseded'],
      ['patch_withdrawn', 'withdrawn'],
      ['patch_rejected', 'rejected'],
    ]);
  });

  test('applied, rejected and withdrawn at once by sixteen calls: one of them counts, and says so once', async () => {
    await claim(holder, 'a.ts');
    const child = await terminal(crew.lead, projectId, { parentId: holder.sessionId });
    for (let round = 0; round < 5; round += 1) {
      const patch = await offer('a.ts');
      const before = (await happened()).length;
      const calls = Array.from({ length: 4 }, () => [
        () => applied(holder, patch.id),
        () => applied(child, patch.id),
        () => holder.rejectPatch({ projectId, patchId: patch.id }),
        () => author.withdrawPatch({ projectId, patchId: patch.id }),
      ]);
      const outcomes = await Promise.allSettled(calls.flat().map((call) => call()));
      const states = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value.state] : []));
      const codes = outcomes.flatMap((one) => (one.status === 'rejected' ? [(one.reason as { code: string }).code] : []));
      expect(new Set(states)).toEqual(new Set([(await read(patch.id)).state]));
      expect(new Set(codes)).toEqual(new Set(['INVALID_STATUS_TRANSITION']));
      expect(await happened()).toHaveLength(before + 1);
    }
    expect(await auditLedger(server.deps.database, projectId)).toEqual([]);
  });

  test('of eight that take the freed path at once, one applies it', async () => {
    await claim(holder, 'a.ts');
    const patch = await offer('a.ts');
    const takers = await Promise.all(Array.from({ length: 8 }, () => terminal(crew.member, projectId)));
    await holder.releaseClaims({ projectId });
    const outcomes = await Promise.allSettled(takers.map((taker) => claim(taker, 'a.ts').then(() => applied(taker, patch.id))));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await happened()).filter(([type]) => type === 'patch_applied')).toHaveLength(1);
  });

  test('a retry with its key is the same patch', async () => {
    await claim(holder, 'a.ts');
    const call = { idempotencyKey: crypto.randomUUID() };
    const [one, two] = await Promise.all([1, 2].map(() => author.offerPatch({ projectId, body: { diff: diffOf('a.ts') } }, call)));
    expect(one).toEqual(two);
    expect((await author.listPatches({ projectId })).items).toHaveLength(1);
  });

  test('what nobody else holds needs no patch, and what is no patch says why', async () => {
    const free = await refusal(offer('a.ts'));
    expect([free.code, free.message]).toEqual(['INVALID_STATUS_TRANSITION', expect.stringContaining('nexus claims add a.ts')]);
    await claim(author, 'a.ts');
    expect((await refusal(offer('a.ts'))).code).toBe('INVALID_STATUS_TRANSITION');
    await claim(holder, 'b.ts');
    for (const [diff, said] of [
      ['hello', 'line 1'],
      [diffOf('../b.ts'), 'leaves the repository'],
      [diffOf('.git/config'), '.git'],
      [diffOf('src/*.ts'), 'one file'],
      [diffOf('b.ts').replace('+two', `+${'x'.repeat(MAX_PATCH_BYTES)}`), '64 KB'],
      [diffOf('b.ts').replace('+two', '+\u0000'), 'NUL'],
    ] as const) {
      const { status, message } = await refusal(author.offerPatch({ projectId, body: { diff } }));
      expect([status, message]).toEqual([400, expect.stringContaining(said)]);
    }
    const whole = `+${'"\t'.repeat(MAX_PATCH_BYTES / 2 - 200)}`;
    expect(await author.offerPatch({ projectId, body: { diff: diffOf('b.ts').replace('+two', whole) } })).toMatchObject({ state: 'open' });
    expect(await happened()).toEqual([['patch_offered', null]]);
  });

  test('what another project has is a 404', async () => {
    await claim(holder, 'a.ts');
    const patch = await offer('a.ts');
    const other = await crew.project();
    const key = crew.lead.options.apiKey;
    for (const id of [patch.id, crypto.randomUUID(), 'nonsense', '%00'])
      for (const [method, path] of [
        ['GET', id],
        ['POST', `${id}/applied`],
        ['POST', `${id}/reject`],
        ['POST', `${id}/withdraw`],
      ] as const)
        expect((await raw(server, method, `/api/projects/${other}/patches/${path}`, { key })).status).toBe(404);
    expect((await refusal(crew.stranger.listPatches({ projectId }))).status).toBe(404);
    expect((await crew.lead.listPatches({ projectId: other })).items).toEqual([]);
  });

  test('one that nobody took up for 30 days is over, and forgotten 90 days after', async () => {
    await claim(holder, 'a.ts');
    const [old, young] = [await offer('a.ts'), await offer('a.ts')];
    const { db } = server.deps.database;
    await db.execute(sql`update patches set created_at = now() - interval '31 days' where id = ${old.id}`);
    await server.deps.courier.tick(Date.now() + 120_000);
    expect(await read(old.id)).toMatchObject({ state: 'expired', closedBy: null });
    expect(await read(young.id)).toMatchObject({ state: 'open' });
    await tells(author, [old.id, 'closed', 'expired']);
    await db.execute(sql`update patches set closed_at = now() - interval '91 days' where id = ${old.id}`);
    await server.deps.courier.tick(Date.now() + 240_000);
    expect((await refusal(read(old.id))).status).toBe(404);
    expect(await happened()).toContainEqual(['patch_withdrawn', 'expired']);
  });

  test('lists go on where they ended', async () => {
    await claim(holder, 'a.ts');
    const ids = [];
    for (let count = 0; count < 5; count += 1) ids.unshift((await offer('a.ts')).id);
    for (const box of ['all', 'for_me'] as const) {
      const seen: string[] = [];
      for (let cursor: string | undefined, more = true; more;) {
        const page = await holder.listPatches({ projectId, query: { box, limit: 2, ...(cursor ? { cursor } : {}) } });
        seen.push(...page.items.map(({ id }) => id));
        [cursor, more] = [page.nextCursor ?? undefined, page.hasMore];
      }
      expect(seen).toEqual(ids);
    }
  });
});
