import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import type { Wait } from '@nexus/contract';
import {
  createTestDatabase,
  eventually,
  onEachEngineSet,
  people,
  readyFeature,
  startServer,
  terminal,
  type TestServer,
} from './harness.ts';
import { auditAnswers, auditLedger } from './lib/audit.ts';
import { keepalive } from './lib/keepalive.ts';
import { restartableServer } from './lib/restartable.ts';
import { createCrew, type Crew, eventsOf, refusal } from './support.ts';

type Terminal = Client & { sessionId: string };

onEachEngineSet('waiting', (set) => {
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  let one: Terminal;
  let two: Terminal;
  let three: Terminal;

  beforeAll(async () => {
    server = await startServer(set);
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    projectId = await crew.project();
    [one, two, three] = await Promise.all([
      terminal(crew.lead, projectId),
      terminal(crew.lead, projectId),
      terminal(crew.member, projectId),
    ]);
  });

  const feature = (slug: string, ...touches: string[]) => readyFeature(crew.lead, projectId, slug, touches);
  const pick = (client: Client, slug: string) => client.pickFeature({ projectId, slug });
  const release = (client: Client, slug: string) => client.releaseFeature({ projectId, slug });
  const claim = (client: Client, ...paths: string[]) => client.claim({ projectId, body: { paths } });
  const waitFor = (client: Client, featureSlug: string, seconds?: number) =>
    client.joinQueue({ projectId, body: { featureSlug, ...(seconds === undefined ? {} : { seconds }) } });
  const waitForPaths = (client: Client, ...paths: string[]) => client.joinQueue({ projectId, body: { paths } });
  const stateOf = async ({ id }: Wait) => (await crew.lead.getWait({ projectId, waitId: id })).state;
  const becomes = (wait: Wait, state: Wait['state']) =>
    eventually(`the wait is ${state}`, async () => {
      const now = await stateOf(wait);
      if (now !== 'waiting' && now !== state) throw new Error(`it is ${now}`);
      return now === state;
    });
  const codeOf = async (call: Promise<unknown>) => (await refusal(call)).code;

  describe('a place in the queue', () => {
    test('is granted at once when nothing is in the way', async () => {
      await feature('a', 'src/');
      const wait = await waitFor(one, 'a');
      expect(wait).toMatchObject({ state: 'granted', featureSlug: 'a', paths: ['src/'], sessionId: one.sessionId });
      expect((await pick(one, 'a')).fence).toBe(wait.fence);
    });

    test('says for whom it waits, and is granted the moment they let go', async () => {
      await feature('a', 'src/a.ts');
      await feature('b', 'src/');
      await pick(one, 'a');
      const wait = await waitFor(two, 'b');
      expect(wait).toMatchObject({ state: 'waiting', fence: null, behind: [] });
      expect(wait.conflicts).toMatchObject([{ filePath: 'src/', heldPath: 'src/a.ts', claimedBy: { sessionId: one.sessionId } }]);
      expect((await crew.readonly.status({ projectId })).waiting).toMatchObject([{ id: wait.id, conflicts: [{ heldPath: 'src/a.ts' }] }]);

      await release(one, 'a');
      await becomes(wait, 'granted');
      expect((await crew.lead.getFeature({ projectId, slug: 'b' })).heldBy?.sessionId).toBe(two.sessionId);
      const told = (await eventsOf(crew.lead, projectId)).filter(({ type }) => type.startsWith('wait_'));
      expect(told.map(({ type, actor, data }) => [type, actor.session, data['waitId'], data['as'] ?? null])).toEqual([
        ['wait_started', two.sessionId, wait.id, null],
        ['wait_ended', two.sessionId, wait.id, 'granted'],
      ]);
      expect(await auditLedger(server.deps.database, projectId)).toEqual([]);
    });

    test('for paths is granted as ad hoc claims, all at once', async () => {
      await claim(one, 'x.ts');
      await claim(two, 'y.ts');
      const wait = await waitForPaths(three, 'x.ts', 'y.ts');
      await one.releaseClaims({ projectId });
      expect(await stateOf(wait)).toBe('waiting');
      expect(await three.myClaims({ projectId })).toEqual([]);
      await two.releaseClaims({ projectId });
      await becomes(wait, 'granted');
      expect((await three.myClaims({ projectId })).map(({ filePath }) => filePath)).toEqual(['x.ts', 'y.ts']);
    });

    test('for a feature that another session works on is granted when that one gives it back', async () => {
      await feature('empty');
      await pick(one, 'empty');
      const wait = await waitFor(two, 'empty');
      expect(wait).toMatchObject({ state: 'waiting', heldBy: { sessionId: one.sessionId } });
      await release(one, 'empty');
      await becomes(wait, 'granted');
    });

    test('for a feature that is finished meanwhile is refused, with the reason', async () => {
      await feature('a', 'src/');
      await pick(one, 'a');
      const wait = await waitFor(two, 'a');
      await one.doneFeature({ projectId, slug: 'a' });
      await becomes(wait, 'refused');
      expect((await crew.lead.getWait({ projectId, waitId: wait.id })).note).toContain('a is done');
    });

    test('is one for each session: the same again is the same, another one leaves it', async () => {
      await claim(one, 'x.ts', 'y.ts');
      const first = await waitForPaths(two, 'x.ts');
      expect((await waitForPaths(two, 'x.ts')).id).toBe(first.id);
      const second = await waitForPaths(two, 'y.ts');
      expect([await stateOf(first), second.state]).toEqual(['left', 'waiting']);
      expect((await one.listWaits({ projectId })).map(({ id }) => id)).toEqual([second.id]);
    });

    test('is given up by its own engineer only, and ends by itself in time', async () => {
      await claim(one, 'x.ts');
      const left = await waitForPaths(three, 'x.ts');
      expect(await codeOf(crew.lead.leaveQueue({ projectId, waitId: left.id }))).toBe('INSUFFICIENT_ROLE');
      expect((await crew.member.leaveQueue({ projectId, waitId: left.id })).state).toBe('left');
      expect((await crew.member.leaveQueue({ projectId, waitId: left.id })).state).toBe('left');
      const short = await three.joinQueue({ projectId, body: { paths: ['x.ts'], seconds: 1 } });
      await becomes(short, 'expired');
    });

    test('is none for who holds something, or whose ancestor or child does', async () => {
      await feature('a', 'src/');
      await claim(one, 'src/x.ts');
      await claim(two, 'y.ts');
      expect(await codeOf(waitFor(two, 'a'))).toBe('WAIT_WHILE_HOLDING');
      const child = await terminal(crew.lead, projectId, { parentId: two.sessionId });
      expect(await codeOf(waitFor(child, 'a'))).toBe('WAIT_WHILE_HOLDING');
      await two.releaseClaims({ projectId });
      await claim(child, 'y.ts');
      expect(await codeOf(waitFor(two, 'a'))).toBe('WAIT_WHILE_HOLDING');
    });

    test('is told to whoever checks what is free, but for those who come before it anyway', async () => {
      await claim(one, 'x.ts');
      await claim(three, 'z.ts');
      await feature('a', 'x.ts', 'lib/', 'z.ts');
      const check = async (who: Client) =>
        (await who.checkClaims({ projectId, body: { paths: ['lib/free.ts', 'x.ts', 'elsewhere.ts'] } })).paths.map(({ state, waiting }) => [
          state,
          waiting?.map(({ sessionId, featureSlug }) => [sessionId, featureSlug]),
        ]);
      expect((await check(three))[0]).toEqual(['free', undefined]);
      await waitFor(two, 'a');
      const four = await terminal(crew.member, projectId);
      expect(await check(four)).toEqual([
        ['free', [[two.sessionId, 'a']]],
        ['held', undefined],
        ['free', undefined],
      ]);
      expect(await codeOf(claim(four, 'lib/free.ts'))).toBe('QUEUED_AHEAD');
      // Who holds what the other waits for may finish, and whose turn it is waits for nobody.
      expect((await check(three))[0]).toEqual(['free', undefined]);
      await claim(three, 'lib/free.ts');
      expect((await check(two))[0]).toEqual(['held', undefined]);
    });

    test('is left by a session that claims something else meanwhile', async () => {
      await claim(one, 'x.ts');
      const wait = await waitForPaths(two, 'x.ts');
      await claim(two, 'elsewhere.ts');
      expect(await stateOf(wait)).toBe('left');
    });

    test('is none for a draft, an unknown feature, or one whose dependencies are open', async () => {
      await crew.lead.createFeature({ projectId, body: { slug: 'draft', title: 'D', spec: 'D' } });
      await readyFeature(crew.lead, projectId, 'later', [], ['draft']);
      expect(await codeOf(waitFor(one, 'draft'))).toBe('INVALID_STATUS_TRANSITION');
      expect(await codeOf(waitFor(one, 'later'))).toBe('DEPENDENCIES_UNMET');
      expect(await codeOf(waitFor(one, 'nothing'))).toBe('NOT_FOUND');
      expect(await codeOf(crew.lead.getWait({ projectId, waitId: 'nothing' }))).toBe('NOT_FOUND');
    });

    test('ends in the same moment as its session', async () => {
      await claim(one, 'x.ts');
      const wait = await waitForPaths(two, 'x.ts');
      await crew.lead.endSession({ projectId, sessionId: two.sessionId });
      expect(await stateOf(wait)).toBe('lost');
      expect(await codeOf(waitForPaths(two, 'x.ts'))).toBe('SESSION_LOST');
    });
  });

  describe('whose turn it is', () => {
    test('who waits is not overtaken: not by a pick, a claim, an edit of its neighbour, or pick-next', async () => {
      await feature('big', 'src/');
      await feature('small', 'src/b.ts');
      await feature('other', 'docs/');
      await claim(one, 'src/a.ts');
      await waitFor(two, 'big');
      const refused = await refusal(pick(three, 'small'));
      expect([refused.status, refused.code]).toEqual([409, 'QUEUED_AHEAD']);
      expect(refused.details).toMatchObject({ waiting: [{ sessionId: two.sessionId, featureSlug: 'big', paths: ['src/'] }] });
      expect(await codeOf(claim(three, 'src/b.ts'))).toBe('QUEUED_AHEAD');
      const available = await three.availableFeatures({ projectId });
      expect(available.map(({ slug, blockedBy }) => [slug, blockedBy])).toMatchObject([
        ['other', null],
        ['big', { featureSlug: null }],
        ['small', { featureSlug: 'big' }],
      ]);
      expect((await three.pickNext({ projectId })).slug).toBe('other');
      expect(await codeOf(claim(three, 'src/b.ts'))).toBe('QUEUED_AHEAD');
    });

    test('who stood in its way before it came may take one more path, and nobody who came after', async () => {
      await claim(one, 'src/a.ts');
      await waitForPaths(two, 'src/');
      await claim(one, 'src/b.ts');
      await one.releaseClaims({ projectId, body: { paths: ['src/a.ts'] } });
      expect(await codeOf(claim(one, 'src/c.ts'))).toBe('QUEUED_AHEAD');
    });

    test('who does not overlap goes past, who does stays behind', async () => {
      await claim(one, 'src/a.ts');
      const big = await waitForPaths(two, 'src/');
      const behind = await waitForPaths(three, 'src/b.ts');
      expect(behind).toMatchObject({ state: 'waiting', conflicts: [], behind: [{ waitId: big.id }] });
      const past = await waitForPaths(await terminal(crew.member, projectId), 'docs/');
      expect(past.state).toBe('granted');
      await one.releaseClaims({ projectId });
      await becomes(big, 'granted');
      expect(await stateOf(behind)).toBe('waiting');
      await two.releaseClaims({ projectId });
      await becomes(behind, 'granted');
    });

    test('goes by lane and priority, but nobody is passed over more than three times', async () => {
      await crew.lead.createFeature({ projectId, body: { slug: 'late', title: 'L', spec: 'L', lane: 'later', touches: ['src/'] } });
      await crew.lead.readyFeature({ projectId, slug: 'late' });
      const urgent = ['u1', 'u2', 'u3', 'u4', 'u5'];
      for (const slug of urgent) await feature(slug, 'src/a.ts');
      const workers = await Promise.all(urgent.map(() => terminal(crew.member, projectId)));
      await claim(one, 'src/a.ts');
      const late = await waitFor(two, 'late');
      for (const [position, slug] of urgent.entries()) await waitFor(workers[position] ?? one, slug);
      await one.releaseClaims({ projectId });
      const order: string[] = [];
      for (let turn = 0; turn < 6; turn += 1) {
        await eventually('somebody has it', async () => (await crew.lead.status({ projectId })).activeFeatures.length === 1);
        const [active] = (await crew.lead.status({ projectId })).activeFeatures;
        const slug = active?.slug ?? '';
        order.push(slug);
        const worker = slug === 'late' ? two : (workers[urgent.indexOf(slug)] ?? one);
        await worker.doneFeature({ projectId, slug });
      }
      expect(order).toEqual(['u1', 'u2', 'u3', 'late', 'u4', 'u5']);
      expect(await stateOf(late)).toBe('granted');
    });
  });

  describe('races', () => {
    test('24 wait for one feature: each gets it once, one at a time', async () => {
      await feature('a', 'src/');
      const agents = await Promise.all(Array.from({ length: 24 }, () => terminal(crew.lead, projectId)));
      const waits = await Promise.all(agents.map((agent) => waitFor(agent, 'a')));
      expect(waits.filter(({ state }) => state === 'granted')).toHaveLength(1);
      for (let turn = 0; turn < agents.length; turn += 1) {
        let holder: Terminal | undefined;
        await eventually('somebody has it', async () => {
          const { heldBy } = await crew.lead.getFeature({ projectId, slug: 'a' });
          holder = agents.find(({ sessionId }) => sessionId === heldBy?.sessionId);
          return holder !== undefined;
        });
        if (holder) await release(holder, 'a');
      }
      const ended = await Promise.all(waits.map((wait) => crew.lead.getWait({ projectId, waitId: wait.id })));
      expect(ended.map(({ state }) => state)).toEqual(waits.map(() => 'granted'));
      expect(new Set(ended.map(({ fence }) => fence)).size).toBe(24);
      expect(await crew.lead.listClaims({ projectId })).toEqual([]);
      expect(await auditLedger(server.deps.database, projectId)).toEqual([]);
    });

    test('small ones that come again and again do not starve a big one', async () => {
      await feature('s1', 'src/a.ts');
      await feature('s2', 'src/b.ts');
      await feature('big', 'src/');
      let running = true;
      const small = async (slug: string) => {
        const agent = await terminal(crew.member, projectId);
        while (running) {
          const wait = await waitFor(agent, slug);
          if (wait.state === 'waiting') await eventually('its turn', async () => !running || (await stateOf(wait)) === 'granted');
          if (running) await release(agent, slug);
        }
      };
      const workers = Promise.all([small('s1'), small('s1'), small('s2'), small('s2')]);
      await eventually('they are at it', async () => (await crew.lead.status({ projectId })).activeFeatures.length === 2);
      const wait = await waitFor(two, 'big');
      await becomes(wait, 'granted').finally(() => (running = false));
      await workers;
      expect(await auditLedger(server.deps.database, projectId)).toEqual([]);
    });

    test('picks, waits and releases of overlapping features, at random: never two holders, nobody left behind', async () => {
      const slugs = ['a', 'b', 'c', 'd'];
      await feature('a', 'x/');
      await feature('b', 'x/1.ts', 'y/1.ts');
      await feature('c', 'ro:y/', 'z.ts');
      await feature('d', 'y/');
      const agents = await Promise.all(Array.from({ length: 10 }, () => terminal(crew.lead, projectId)));
      await Promise.all(
        agents.map(async (agent, position) => {
          for (let turn = 0; turn < 4; turn += 1) {
            const slug = slugs[(position + turn) % slugs.length] ?? 'a';
            if ((position + turn) % 3 === 0) {
              const picked = await pick(agent, slug).catch(() => undefined);
              if (picked) await release(agent, slug);
              continue;
            }
            const wait = await waitFor(agent, slug);
            if ((position + turn) % 5 === 0 && (await agent.leaveQueue({ projectId, waitId: wait.id })).state === 'left') continue;
            await becomes(wait, 'granted');
            await release(agent, slug);
          }
        }),
      );
      expect(await crew.lead.listWaits({ projectId })).toEqual([]);
      expect(await crew.lead.listClaims({ projectId })).toEqual([]);
      expect(await auditLedger(server.deps.database, projectId)).toEqual([]);
    }, 60_000);
  });
});

onEachEngineSet('waiting and dying', (set) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer(set, { LEASE_TTL_SECONDS: '2', GRACE_SECONDS: '0.2' });
  });
  afterAll(() => server.stop());

  test('who waits and dies holds nobody up: reported dead, silent in the queue, or silent with what it was granted', async () => {
    const { projectId, lead } = await server.project();
    const keeper = keepalive({ client: lead, everyMs: 300 });
    const stand = async (agent: Terminal) => (await agent.joinQueue({ projectId, body: { paths: ['src/'] } })).id;
    const stateOf = async (waitId: string) => (await lead.getWait({ projectId, waitId })).state;
    const [holder, dead, granted, silent, last] = await Promise.all([1, 2, 3, 4, 5].map(() => terminal(lead, projectId, { keeper: true })));
    if (!holder || !dead || !granted || !silent || !last) throw new Error('unreachable');
    keeper.add(holder.sessionId, dead.sessionId, last.sessionId);
    await holder.claim({ projectId, body: { paths: ['src/a.ts'] } });
    const [first, second, third, fourth] = [await stand(dead), await stand(granted), await stand(silent), await stand(last)];
    expect((await lead.getWait({ projectId, waitId: fourth })).behind).toHaveLength(3);
    await lead.endSession({ projectId, sessionId: dead.sessionId, body: { reason: 'died' } });
    expect(await stateOf(first)).toBe('lost');
    await holder.releaseClaims({ projectId });
    await eventually('the next one has it', async () => (await stateOf(second)) === 'granted');
    await eventually('the last one has it', async () => (await stateOf(fourth)) === 'granted');
    // On a busy machine it was still alive when its turn came, and died with what it was granted.
    expect(['lost', 'granted']).toContain(await stateOf(third));
    expect(await auditLedger(server.deps.database, projectId)).toEqual([]);
    await keeper.stop();
  });

  test('a server that is killed while it grants: after the next start they have it, once', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'nexus-waiting-'));
    const own = set === 'team' ? await createTestDatabase() : undefined;
    const team = own && { DATABASE_URL: own.url, REDIS_URL: process.env['TEST_REDIS_URL'] ?? '' };
    const killed = restartableServer({ NEXUS_DATA_DIR: dataDir, ...team });
    await killed.start();
    const { projectId, lead } = await people(killed.anonymous).project();
    const [holder, waiter] = await Promise.all([terminal(lead, projectId), terminal(lead, projectId)]);
    await readyFeature(lead, projectId, 'a', ['src/']);
    await holder.pickFeature({ projectId, slug: 'a' });
    const { id: waitId } = await waiter.joinQueue({ projectId, body: { featureSlug: 'a' } });
    await killed.start('pick.written');
    await holder
      .with({ retries: 0 })
      .releaseFeature({ projectId, slug: 'a' })
      .catch(() => undefined);
    await killed.ended();
    await killed.start();
    await eventually('it is granted', async () => (await lead.getWait({ projectId, waitId })).state === 'granted');
    expect((await lead.getFeature({ projectId, slug: 'a' })).heldBy?.sessionId).toBe(waiter.sessionId);
    expect(await auditAnswers(lead, projectId)).toEqual([]);
    await killed.kill();
    await own?.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);
});
