import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { runOf } from '@nexus/paths/testing';
import {
  MAX_COMPARED,
  MAX_CONFLICTS,
  type ClaimMode,
  type HoldEnd,
  type IndexChanges,
  type IndexConflict,
  type IndexedHold,
  type LeaseStore,
} from './leases.ts';
import { suiteTimes, type LeaseRig } from './rig.suite.ts';
import { walkSuite } from './walk.suite.ts';

const { graceMs: grace, maxStepMs: maxStep } = suiteTimes;
const ttl = 90_000;
const hour = 3_600_000;

/** The specification of a lease store. `create` opens the engine for the whole suite; every test uses its own project. */
export function leaseStoreSuite(name: string, create: () => Promise<LeaseRig>) {
  describe(name, () => {
    const ledger = 'ledger-1';
    let rig: LeaseRig;
    let leases: LeaseStore;
    let project: string;
    let ver: number;

    beforeAll(async () => {
      rig = await create();
      leases = rig.leases;
    });
    afterAll(() => leases.close());
    beforeEach(async () => {
      project = crypto.randomUUID();
      ver = 0;
      await leases.load(project, { ledger, ver }, none);
    });

    /** Applies changes as the next version. */
    async function apply(changes: Partial<IndexChanges>) {
      expect(await leases.apply(project, { ledger, ver }, ver + 1, { ...none, ...changes })).toBe(true);
      ver += 1;
    }

    /** Grants an ad hoc hold named by its session and number: 's1.7' is held by s1 under fence 7. */
    const grant = (id: string, ...claims: string[]) =>
      apply({ holdsGranted: [hold(id)], claimsGranted: claims.map((text) => claim(id, text)) });
    const end = (id: string, as: HoldEnd = 'released') => apply({ holdsEnded: [{ id, as }] });

    const conflicts = async (...asked: Parameters<LeaseStore['check']>) => (await leases.check(...asked))?.conflicts ?? null;
    const covered = async (...asked: Parameters<LeaseStore['check']>) => (await leases.check(...asked))?.covered ?? null;

    /** Conflicts as text: 'above write /src by s1.7'. */
    const check = async (texts: string[], ...lineage: string[]) =>
      (await conflicts(project, texts.map(request), lineage))?.map(
        ({ claim: index, why, mode, node, hold: by }) => `${texts.length > 1 ? `${index} ` : ''}${why} ${mode} ${node} by ${by.id}`,
      ) ?? null;

    const checkTree = async (node: string) =>
      (await conflicts(project, [{ node, mode: 'write', kind: 'tree' }], []))?.map(({ why }) => why);

    const beat = async (session: string) => (await leases.beat(project, [session]))[0];
    const stateOf = async (session: string) => (await beat(session))?.state;

    describe('a session', () => {
      test('is unknown until it is opened', async () => {
        expect(await leases.beat(project, ['s1'])).toEqual([{ session: 's1', state: 'unknown' }]);
      });

      test('beats after it was opened, and the beat names its ttl', async () => {
        expect(await leases.open(project, 's1', ttl)).toBe(true);
        expect(await beat('s1')).toEqual({ session: 's1', state: 'ok', ttlMs: ttl, holds: [], lost: [] });
      });

      test('beats after the ledger opened it', async () => {
        await apply({ sessionsOpened: [{ id: 's1', ttlMs: 1_234 }] });
        expect(await beat('s1')).toMatchObject({ state: 'ok', ttlMs: 1_234 });
      });

      test('is unknown again once the ledger has closed it', async () => {
        await leases.open(project, 's1', ttl);
        await apply({ sessionsClosed: ['s1'] });
        expect(await stateOf('s1')).toBe('unknown');
        expect(await leases.list(project)).toEqual([]);
      });

      test('that is opened again has its new ttl', async () => {
        await leases.open(project, 's1', ttl);
        await leases.open(project, 's1', 2 * ttl);
        expect(await beat('s1')).toMatchObject({ ttlMs: 2 * ttl });
      });

      test('is not stale at the end of its ttl, for the grace period runs', async () => {
        await leases.open(project, 's1', ttl);
        await rig.passTime(project, ttl + grace - 2_000);
        expect(await leases.stale(project)).toEqual([]);
      });

      test('is stale past ttl and grace', async () => {
        await leases.open(project, 's1', ttl);
        await rig.passTime(project, ttl + grace + 1);
        expect(await leases.stale(project)).toEqual(['s1']);
      });

      test('that is stale revives by a beat', async () => {
        await leases.open(project, 's1', ttl);
        await rig.passTime(project, ttl + grace + 1);
        expect(await stateOf('s1')).toBe('ok');
        expect(await leases.stale(project)).toEqual([]);
      });

      test('that beats is never stale', async () => {
        await leases.open(project, 's1', ttl);
        for (let i = 0; i < 4; i++) {
          await rig.passTime(project, ttl);
          expect(await stateOf('s1')).toBe('ok');
        }
        expect(await leases.stale(project)).toEqual([]);
      });

      test('is renewed to its own ttl among others in one batch, answered in the order asked', async () => {
        await leases.open(project, 'short', 10_000);
        await leases.open(project, 'long', ttl);
        const answers = await leases.beat(project, ['long', 'gone', 'short', 'long']);
        expect(answers.map(({ session, state }) => `${session} ${state}`)).toEqual(['long ok', 'gone unknown', 'short ok', 'long ok']);
        await rig.passTime(project, 10_000 + grace + 1);
        expect(await leases.stale(project)).toEqual(['short']);
      });

      test('of another project is unknown', async () => {
        const other = crypto.randomUUID();
        await leases.load(other, { ledger, ver: 0 }, none);
        await leases.open(other, 's1', ttl);
        expect(await stateOf('s1')).toBe('unknown');
        expect(await leases.list(project)).toEqual([]);
      });

      test('is listed with the time to its deadline, without the grace period', async () => {
        await leases.open(project, 's2', ttl);
        await leases.open(project, 's1', 10_000);
        await rig.passTime(project, 20_000);
        const listed = await leases.list(project);
        expect(listed.map(({ session }) => session)).toEqual(['s1', 's2']);
        expect(listed.map(({ msLeft }) => Math.round(msLeft / 2_000))).toEqual([-5, 35]);
      });

      test('is sorted by the bytes of its name among stale and listed ones', async () => {
        const names = ['b', 'a', 'B', '\uff5e', '😀', 'é'];
        for (const session of names) await leases.open(project, session, 1_000);
        await leases.condemn(project, 'a', { dead: true });
        await rig.passTime(project, grace + 2_000);
        expect(await leases.stale(project)).toEqual(['B', 'a', 'b', 'é', '\uff5e', '😀']);
        expect((await leases.list(project)).map(({ session }) => session)).toEqual(['B', 'b', 'é', '\uff5e', '😀']);
      });

      test('is nobody when nobody is asked for', async () => {
        expect(await leases.beat(project, [])).toEqual([]);
      });
    });

    describe('condemning', () => {
      test('a session past its lease and grace happens once, and it can beat no more', async () => {
        await leases.open(project, 's1', ttl);
        await rig.passTime(project, ttl + grace + 1);
        const race = await Promise.all(Array.from({ length: 8 }, () => leases.condemn(project, 's1')));
        expect(race.filter((result) => result === 'done')).toHaveLength(1);
        expect(race.filter((result) => result === 'condemned')).toHaveLength(7);
        expect(await leases.beat(project, ['s1'])).toEqual([{ session: 's1', state: 'condemned' }]);
      });

      test('fails while the grace period runs', async () => {
        await leases.open(project, 's1', ttl);
        await rig.passTime(project, ttl + grace - 2_000);
        expect(await leases.condemn(project, 's1')).toBe('alive');
        expect(await stateOf('s1')).toBe('ok');
      });

      test('fails when the session beat after it was seen to be stale', async () => {
        await leases.open(project, 's1', ttl);
        await rig.passTime(project, ttl + grace + 1);
        expect(await leases.stale(project)).toEqual(['s1']);
        await beat('s1');
        expect(await leases.condemn(project, 's1')).toBe('alive');
      });

      test('does not wait for the deadline of a session whose process is dead', async () => {
        await leases.open(project, 's1', ttl);
        expect(await leases.condemn(project, 's1', { dead: true })).toBe('done');
        expect(await stateOf('s1')).toBe('condemned');
      });

      test('answers unknown for an unknown session, dead or not', async () => {
        expect(await leases.condemn(project, 's1')).toBe('unknown');
        expect(await leases.condemn(project, 's1', { dead: true })).toBe('unknown');
      });

      test('keeps the session from opening again, by itself and by the ledger', async () => {
        await leases.open(project, 's1', ttl);
        await leases.condemn(project, 's1', { dead: true });
        expect(await leases.open(project, 's1', ttl)).toBe(false);
        await apply({ sessionsOpened: [{ id: 's1', ttlMs: ttl }] });
        expect(await stateOf('s1')).toBe('condemned');
      });

      test('leaves the session among the stale until the ledger has closed it, so that a crash in between is finished', async () => {
        await leases.open(project, 's1', ttl);
        await leases.condemn(project, 's1', { dead: true });
        expect(await leases.stale(project)).toEqual(['s1']);
        expect(await leases.condemn(project, 's1')).toBe('condemned');
        expect(await leases.list(project)).toEqual([]);
        await apply({ sessionsClosed: ['s1'] });
        expect(await leases.stale(project)).toEqual([]);
        expect(await stateOf('s1')).toBe('unknown');
      });

      test('one session leaves the others alone', async () => {
        await leases.open(project, 's1', ttl);
        await leases.open(project, 's2', ttl);
        await leases.condemn(project, 's1', { dead: true });
        expect((await leases.beat(project, ['s1', 's2'])).map(({ state }) => state)).toEqual(['condemned', 'ok']);
      });
    });

    describe('the logical clock', () => {
      test('takes a leap forward for one step at most', async () => {
        await leases.open(project, 's1', ttl);
        await rig.leap(project, hour);
        expect(await leases.stale(project)).toEqual([]);
        const [listed] = await leases.list(project);
        expect(listed?.msLeft).toBeGreaterThanOrEqual(ttl - maxStep - 2_000);
        expect(listed?.msLeft).toBeLessThanOrEqual(ttl - maxStep);
      });

      test('stands still when the machine goes back', async () => {
        await leases.open(project, 's1', ttl);
        await rig.leap(project, -hour);
        const [listed] = await leases.list(project);
        expect(listed?.msLeft).toBeGreaterThan(ttl - 2_000);
        expect(listed?.msLeft).toBeLessThanOrEqual(ttl);
      });

      test('goes on after the machine went back', async () => {
        await leases.open(project, 's1', ttl);
        await rig.leap(project, -hour);
        await leases.stale(project);
        await rig.passTime(project, ttl + grace + 1);
        expect(await leases.stale(project)).toEqual(['s1']);
      });

      test('makes no beat after a leap shorter than the ttl', async () => {
        await leases.open(project, 's1', ttl);
        await rig.leap(project, hour);
        await beat('s1');
        const [listed] = await leases.list(project);
        expect(listed?.msLeft).toBeGreaterThan(ttl - 2_000);
      });

      test('makes every later step of a leap that is repeated, so a dead session still ends', async () => {
        await leases.open(project, 's1', maxStep);
        for (let i = 0; i < 6; i++) {
          await rig.leap(project, hour);
          await leases.stale(project);
        }
        expect(await leases.stale(project)).toEqual(['s1']);
      });
    });

    describe('the version', () => {
      test('is null where nothing was loaded', async () => {
        expect(await leases.version(crypto.randomUUID())).toBeNull();
      });

      test('is what was loaded, then what was applied', async () => {
        expect(await leases.version(project)).toEqual({ ledger, ver: 0 });
        expect(await leases.apply(project, { ledger, ver: 0 }, 7, none)).toBe(true);
        expect(await leases.version(project)).toEqual({ ledger, ver: 7 });
      });

      test('may be as large as a number goes', async () => {
        const large = Number.MAX_SAFE_INTEGER - 1;
        await leases.load(project, { ledger, ver: large }, none);
        expect(await leases.apply(project, { ledger, ver: large }, large + 1, none)).toBe(true);
        expect(await leases.version(project)).toEqual({ ledger, ver: large + 1 });
      });
    });

    describe('without an index', () => {
      beforeEach(() => {
        project = crypto.randomUUID();
      });

      test('nothing can be checked: the ledger answers', async () => {
        expect(await check(['w /a'])).toBeNull();
        expect(await conflicts(project, [], [])).toBeNull();
      });

      test('nothing is applied', async () => {
        expect(await leases.apply(project, { ledger, ver: 0 }, 1, none)).toBe(false);
        expect(await leases.version(project)).toBeNull();
      });

      test('everybody is unknown, nobody is stale, listed or condemned', async () => {
        expect(await leases.open(project, 's1', ttl)).toBe(true);
        expect(await stateOf('s1')).toBe('unknown');
        expect(await leases.stale(project)).toEqual([]);
        expect(await leases.list(project)).toEqual([]);
        expect(await leases.condemn(project, 's1', { dead: true })).toBe('alive');
      });
    });

    describe('apply', () => {
      test('acts only from exactly the version it names', async () => {
        await apply({});
        const changes = { ...none, sessionsOpened: [{ id: 's1', ttlMs: ttl }] };
        for (const from of [0, 2, 99]) expect(await leases.apply(project, { ledger, ver: from }, 3, changes)).toBe(false);
        expect(await stateOf('s1')).toBe('unknown');
        expect(await leases.version(project)).toEqual({ ledger, ver: 1 });
      });

      test('acts only on the ledger it names', async () => {
        expect(await leases.apply(project, { ledger: 'ledger-2', ver: 0 }, 1, none)).toBe(false);
        expect(await leases.version(project)).toEqual({ ledger, ver: 0 });
      });

      test('acts once when eight pumps bring the same change', async () => {
        const changes = { ...none, holdsGranted: [hold('s1.1')], claimsGranted: [claim('s1.1', 'w /a')] };
        const race = await Promise.all(Array.from({ length: 8 }, () => leases.apply(project, { ledger, ver: 0 }, 1, changes)));
        expect(race.filter(Boolean)).toHaveLength(1);
        expect(await leases.apply(project, { ledger, ver: 1 }, 2, { ...none, holdsEnded: [{ id: 's1.1', as: 'released' }] })).toBe(true);
        expect(await check(['w '])).toEqual([]);
      });

      test('passes over what is unknown', async () => {
        await apply({
          claimsEnded: [{ hold: 's1.1', node: '/a', mode: 'write' }],
          holdsEnded: [{ id: 's1.1', as: 'lost' }],
          sessionsClosed: ['s1'],
          claimsGranted: [claim('s1.1', 'w /a')],
        });
        expect(await check(['w '])).toEqual([]);
        expect((await rig.leftovers?.(project)) ?? []).toEqual([]);
      });

      test('leaves what is there already as it is', async () => {
        await grant('s1.1', 'w /a');
        await apply({ holdsGranted: [{ ...hold('s1.1'), fence: 9 }], claimsGranted: [{ ...claim('s1.1', 'w /a'), display: 'A' }] });
        expect(await conflicts(project, [request('w /a')], [])).toEqual([conflict(0, 'same', 's1.1', 'w /a')]);
        await end('s1.1');
        expect(await check(['w '])).toEqual([]);
      });

      test('ends claims before it grants others, so an exchange of modes leaves one', async () => {
        await grant('s1.1', 'w /a');
        await apply({ claimsEnded: [ended('s1.1', 'w /a')], claimsGranted: [claim('s1.1', 'r /a')] });
        expect(await check(['w /a'])).toEqual(['same read /a by s1.1']);
        expect(await check(['r /a'])).toEqual([]);
      });

      test('hands a hold over under a new fence without a gap', async () => {
        await grant('s1.1', 'w /a');
        await apply({
          holdsEnded: [{ id: 's1.1', as: 'handed_over' }],
          holdsGranted: [hold('s2.2')],
          claimsGranted: [claim('s2.2', 'w /a')],
        });
        expect(await check(['w /a'], 's1')).toEqual(['same write /a by s2.2']);
        expect(await check(['w /a'], 's2')).toEqual([]);
      });

      test('leaves nothing but version and clock when everything is ended', async () => {
        await apply({
          sessionsOpened: [
            { id: 's1', ttlMs: ttl },
            { id: 's2', ttlMs: ttl },
          ],
        });
        await grant('s1.1', 'w /a/b', 'r /c', 'w ', 'w /**/é?', 'r /a/*/c', 'w /a/*/c');
        await grant('s2.2', 'r /a/b/c/d', 'w /é/😀');
        await grant('s3.3', 'w /parked');
        await leases.condemn(project, 's2', { dead: true });
        await end('s1.1', 'forced');
        await apply({ claimsEnded: [ended('s2.2', 'r /a/b/c/d'), ended('s2.2', 'w /é/😀')], holdsEnded: [{ id: 's2.2', as: 'lost' }] });
        await apply({ holdsEnded: [{ id: 's3.3', as: 'lost' }], sessionsClosed: ['s1', 's2'] });
        expect((await rig.leftovers?.(project)) ?? []).toEqual([]);
        expect(await check(['w '])).toEqual([]);
      });
    });

    describe('load', () => {
      const snapshot = {
        sessionsOpened: [{ id: 's1', ttlMs: ttl }],
        holdsGranted: [hold('s1.1')],
        claimsGranted: [claim('s1.1', 'w /loaded')],
      };

      test('replaces everything that was there', async () => {
        await leases.open(project, 's2', ttl);
        await grant('s2.2', 'w /old');
        expect(await leases.load(project, { ledger, ver: 5 }, snapshot)).toBe(true);
        expect(await check(['w '])).toEqual(['below write /loaded by s1.1']);
        expect((await leases.beat(project, ['s1', 's2'])).map(({ state }) => state)).toEqual(['ok', 'unknown']);
        expect(await leases.version(project)).toEqual({ ledger, ver: 5 });
      });

      test('never moves the index back', async () => {
        await leases.load(project, { ledger, ver: 5 }, snapshot);
        expect(await leases.load(project, { ledger, ver: 4 }, none)).toBe(false);
        expect(await leases.load(project, { ledger, ver: 4 }, none, { refresh: true })).toBe(false);
        expect(await leases.version(project)).toEqual({ ledger, ver: 5 });
        expect(await check(['w /loaded'])).toHaveLength(1);
      });

      test('does nothing where the index stands already', async () => {
        await leases.load(project, { ledger, ver: 5 }, snapshot);
        expect(await leases.load(project, { ledger, ver: 5 }, none)).toBe(false);
        expect(await stateOf('s1')).toBe('ok');
      });

      test('refreshes the version it stands at, with every deadline anew', async () => {
        await leases.load(project, { ledger, ver: 5 }, snapshot);
        await rig.passTime(project, ttl + grace + 1);
        expect(await leases.stale(project)).toEqual(['s1']);
        expect(await leases.load(project, { ledger, ver: 5 }, snapshot, { refresh: true })).toBe(true);
        expect(await leases.stale(project)).toEqual([]);
        const [listed] = await leases.list(project);
        expect(listed?.msLeft).toBeGreaterThan(ttl - 2_000);
      });

      test('takes the index to another ledger, even to a lower version', async () => {
        await leases.load(project, { ledger, ver: 5 }, snapshot);
        expect(await leases.load(project, { ledger: 'ledger-2', ver: 2 }, none)).toBe(true);
        expect(await leases.version(project)).toEqual({ ledger: 'ledger-2', ver: 2 });
        expect(await leases.apply(project, { ledger, ver: 5 }, 6, none)).toBe(false);
      });

      test('brings a condemned session back when the ledger still has it as active', async () => {
        await leases.open(project, 's1', ttl);
        await leases.condemn(project, 's1', { dead: true });
        await leases.load(project, { ledger, ver: 5 }, snapshot);
        expect(await stateOf('s1')).toBe('ok');
      });

      test('happens once when eight pumps bring the same snapshot', async () => {
        const race = await Promise.all(Array.from({ length: 8 }, () => leases.load(project, { ledger, ver: 5 }, snapshot)));
        expect(race.filter(Boolean)).toHaveLength(1);
        expect(await check(['w '])).toEqual(['below write /loaded by s1.1']);
      });

      test('keeps what a session lost since its last beat, and drops it with another ledger', async () => {
        await leases.open(project, 's1', ttl);
        await grant('s1.1', 'w /a');
        await end('s1.1', 'forced');
        await leases.load(project, { ledger, ver: 5 }, snapshot);
        expect(await beat('s1')).toMatchObject({ lost: [{ id: 's1.1', as: 'forced' }] });
        ver = 5;
        await end('s1.1', 'forced');
        await leases.load(project, { ledger: 'ledger-2', ver: 5 }, snapshot);
        expect(await beat('s1')).toMatchObject({ lost: [] });
      });

      test('takes 10,000 claims', async () => {
        const claimsGranted = Array.from({ length: 10_000 }, (_, i) => claim('s1.1', `w /dir${i % 100}/deep/er/file${i}`));
        expect(await leases.load(project, { ledger, ver: 5 }, { ...snapshot, claimsGranted })).toBe(true);
        expect(await check(['w /dir7/deep/er/file1007'])).toEqual(['same write /dir7/deep/er/file1007 by s1.1']);
        expect(await check(['w '])).toHaveLength(MAX_CONFLICTS);
        expect(await check(['w '], 's1')).toEqual([]);
      });
    });

    describe('check', () => {
      test('finds nothing in the way where nothing is held', async () => {
        expect(await check(['w ', 'w /a', 'r /a/b'])).toEqual([]);
      });

      test('leaves what was lost to be told when nobody will hear the answer', async () => {
        await leases.open(project, 's1', 60_000);
        await grant('s1.1', 'w /a');
        await end('s1.1', 'forced');
        const fences = async (options?: { keepLost?: boolean }) =>
          (await leases.beat(project, ['s1'], options)).map((answer) =>
            answer.state === 'ok' ? answer.lost.map(({ fence }) => fence) : answer.state,
          );
        expect(await fences({ keepLost: true })).toEqual([[1]]);
        expect(await fences()).toEqual([[1]]);
        expect(await fences()).toEqual([[]]);
      });

      test('tells which claims a lineage holds already, at the node or above, strongly enough', async () => {
        await grant('s1.1', 'w /src', 'r /docs/a');
        await grant('s2.2', 'w /lib');
        const asked = ['w /src', 'w /src/a/b', 'r /src/a', 'w /docs/a', 'r /docs/a', 'r /docs', 'w /lib/x', 'w /srcx', 'w '].map(request);
        expect(await covered(project, asked, ['s1'])).toEqual([true, true, true, false, true, false, false, false, false]);
        expect(await covered(project, asked, ['child', 's2', 's1'])).toEqual([true, true, true, false, true, false, true, false, false]);
        expect(await covered(project, asked, [])).toEqual(asked.map(() => false));
        expect(await covered(project, [], ['s1'])).toEqual([]);
        await end('s1.1');
        expect(await covered(project, asked, ['s1'])).toEqual(asked.map(() => false));
        expect(await covered(crypto.randomUUID(), asked, ['s1'])).toBeNull();
      });

      test('finds nothing for no claims', async () => {
        await grant('s1.1', 'w ');
        expect(await conflicts(project, [], [])).toEqual([]);
      });

      test('names what is held above, same and below, with all that a reader needs', async () => {
        const feature: IndexedHold = { id: 'h1', session: 's1', label: 'dark-mode', fence: 42 };
        await apply({ holdsGranted: [feature], claimsGranted: [{ hold: 'h1', node: '/src/a', mode: 'write', display: 'Src/A/' }] });
        const held = { node: '/src/a', display: 'Src/A/', mode: 'write' as const, hold: feature };
        const answer = await conflicts(project, [request('w /src/a/b/c'), request('r /src/a'), request('w /src')], []);
        expect(answer).toEqual([
          { claim: 0, why: 'above', ...held },
          { claim: 1, why: 'same', ...held },
          { claim: 2, why: 'below', ...held },
        ]);
      });

      test('takes the whole repository to be above everything and below nothing', async () => {
        await grant('s1.1', 'w ');
        expect(await check(['r /a/b'])).toEqual(['above write  by s1.1']);
        expect(await check(['r '])).toEqual(['same write  by s1.1']);
        await end('s1.1');
        await grant('s1.2', 'w /a/b');
        expect(await check(['r '])).toEqual(['below write /a/b by s1.2']);
      });

      test('does not take a name that only begins alike for a path below', async () => {
        await grant('s1.1', 'w /src/a', 'w /src/a.ts', 'w /src/a-b', 'w /src/ab/c', 'w /src/a0');
        expect(await check(['w /src/a'])).toEqual(['same write /src/a by s1.1']);
        expect(await check(['w /src/b'])).toEqual([]);
        expect(await check(['w /sr'])).toEqual([]);
      });

      const pairs: Array<[wanted: ClaimMode, held: ClaimMode, count: number]> = [
        ['read', 'read', 0],
        ['read', 'write', 1],
        ['write', 'read', 1],
        ['write', 'write', 1],
      ];
      for (const [wanted, heldMode, count] of pairs) {
        for (const [why, node] of [
          ['above', '/a'],
          ['same', '/a/b'],
          ['below', '/a/b/c'],
        ] as const) {
          test(`${count ? 'refuses' : 'allows'} ${wanted} where ${heldMode} is held ${why}`, async () => {
            await apply({ holdsGranted: [hold('s1.1')], claimsGranted: [{ hold: 's1.1', node, mode: heldMode, display: node }] });
            const answer = await conflicts(project, [{ node: '/a/b', mode: wanted }], []);
            expect(answer?.map((found) => found.why)).toEqual(count ? [why] : []);
          });
        }
      }

      test('leaves out what the session and its ancestors hold, not what its child holds', async () => {
        await grant('parent.1', 'w /a');
        await grant('child.2', 'w /a/b');
        expect(await check(['w /a/b'], 'child', 'parent')).toEqual([]);
        expect(await check(['w /a/b'], 'parent')).toEqual(['same write /a/b by child.2']);
        expect(await check(['w /a'], 'parent')).toEqual(['below write /a/b by child.2']);
        expect(await check(['w /a/b'], 'stranger')).toEqual(['above write /a by parent.1', 'same write /a/b by child.2']);
      });

      test('counts one node held by parent and child twice, and frees it with the second', async () => {
        await grant('parent.1', 'w /a/b');
        await grant('child.2', 'w /a/b');
        expect(await check(['w /a/b'], 'other')).toEqual(['same write /a/b by child.2', 'same write /a/b by parent.1']);
        await end('parent.1');
        expect(await check(['w /a'], 'other')).toEqual(['below write /a/b by child.2']);
        expect(await check(['w /a'], 'child')).toEqual([]);
        await end('child.2');
        expect(await check(['w /a'], 'other')).toEqual([]);
      });

      test('finds the one stranger among many claims of its own', async () => {
        await grant('s1.1', ...Array.from({ length: 60 }, (_, i) => `w /a/${String(i).padStart(2, '0')}`));
        await grant('s2.2', 'w /a/59/z');
        expect(await check(['w /a'], 's1')).toEqual(['below write /a/59/z by s2.2']);
      });

      test('takes a session named twice in the lineage once', async () => {
        await grant('s1.1', 'w /a');
        await grant('s2.2', 'w /a');
        expect(await check(['w /a'], 's1', 's1')).toEqual(['same write /a by s2.2']);
      });

      test('lets overlapping holds of one session stand side by side', async () => {
        await grant('s1.1', 'w /a');
        await grant('s1.2', 'w /a', 'r /a/b');
        expect(await check(['w /a'], 's1')).toEqual([]);
        expect(await check(['w /a'], 's2')).toEqual(['same write /a by s1.1', 'same write /a by s1.2', 'below read /a/b by s1.2']);
        await end('s1.1');
        expect(await check(['w /a/b'], 's2')).toEqual(['above write /a by s1.2', 'same read /a/b by s1.2']);
      });

      test('shows what a hold has left after a shrink', async () => {
        await grant('s1.1', 'w /a', 'w /b');
        await apply({ claimsEnded: [ended('s1.1', 'w /a')] });
        expect(await check(['w /a'])).toEqual([]);
        expect(await check(['w /b'])).toEqual(['same write /b by s1.1']);
        await end('s1.1');
        expect(await check(['w '])).toEqual([]);
      });

      test('shows what an extend added under the same fence', async () => {
        await grant('s1.1', 'w /a');
        await apply({ claimsGranted: [claim('s1.1', 'w /b')] });
        expect(await check(['w /b'])).toEqual(['same write /b by s1.1']);
      });

      test('sees a hold whose session is closed: it is parked', async () => {
        await apply({ sessionsOpened: [{ id: 's1', ttlMs: ttl }] });
        await grant('s1.1', 'w /a');
        await apply({ sessionsClosed: ['s1'] });
        expect(await check(['w /a'], 's2')).toEqual(['same write /a by s1.1']);
      });

      test('names at most ten, the first by claim, node, hold and mode', async () => {
        await grant('s1.1', ...Array.from({ length: 30 }, (_, i) => `w /b/${String(i).padStart(2, '0')}`));
        await grant('s2.2', 'r /a', 'w /a');
        await grant('s0.3', 'r /a');
        expect(await check(['w /a', 'w /b'])).toEqual([
          '0 same read /a by s0.3',
          '0 same read /a by s2.2',
          '0 same write /a by s2.2',
          ...Array.from({ length: 7 }, (_, i) => `1 below write /b/0${i} by s1.1`),
        ]);
      });

      test('orders nodes by their bytes', async () => {
        const nodes = ['/a/b', '/a/b/c', '/a/b!c', '/a/b-c', '/a/B', '/a/é', '/a/\uff5e', '/a/😀', '/a'];
        await grant('s1.1', ...nodes.map((node) => `w ${node}`));
        const byBytes = ['/a', '/a/B', '/a/b', '/a/b!c', '/a/b-c', '/a/b/c', '/a/é', '/a/\uff5e', '/a/😀'];
        expect((await conflicts(project, [request('w ')], []))?.map(({ node }) => node)).toEqual(byBytes);
      });

      test('puts ten names in order out of reads and writes mixed below', async () => {
        const nodes = Array.from({ length: 24 }, (_, i) => `/d/${String.fromCharCode(97 + i)}`);
        await grant('s1.1', ...nodes.map((node, i) => `${i % 3 ? 'w' : 'r'} ${node}`));
        expect((await conflicts(project, [request('w /d')], []))?.map(({ node }) => node)).toEqual(nodes.slice(0, 10));
        expect((await conflicts(project, [request('r /d')], []))?.map(({ node }) => node)).toEqual(
          nodes.filter((_, i) => i % 3).slice(0, 10),
        );
      });

      test('reads unicode, quotes and brackets in paths, names and labels as they are', async () => {
        const node = '/app/[id]/"q\'uote"/日本/👩‍💻.ts';
        const odd: IndexedHold = { id: 'hold:{1}', session: 's"1"', label: 'größe-{x}', fence: Number.MAX_SAFE_INTEGER };
        await apply({ holdsGranted: [odd], claimsGranted: [{ hold: odd.id, node, mode: 'write', display: node.toUpperCase() }] });
        expect(await conflicts(project, [{ node, mode: 'read' }], [])).toEqual([
          { claim: 0, why: 'same', node, display: node.toUpperCase(), mode: 'write', hold: odd },
        ]);
      });

      test('names a resource like a path', async () => {
        await grant('s1.1', 'w res:port/5432');
        expect(await check(['w res:port/5432'])).toEqual(['same write res:port/5432 by s1.1']);
        expect(await check(['w res:port/5433'])).toEqual([]);
      });

      test('takes a request of 500 claims against a hold of 500, 64 deep', async () => {
        const deep = `/${Array.from({ length: 63 }, (_, i) => `d${i}`).join('/')}`;
        await grant('s1.1', ...Array.from({ length: 500 }, (_, i) => `w ${deep}/f${i}`));
        const wanted = Array.from({ length: 500 }, (_, i) => `w ${deep}/f${i + 499}`);
        expect(await check(wanted, 's2')).toEqual([`0 same write ${deep}/f499 by s1.1`]);
        await end('s1.1');
        expect(await check(['w '])).toEqual([]);
        expect((await rig.leftovers?.(project)) ?? []).toEqual([]);
      });

      test('a glob stands in the way of what it matches, of trees that reach into it and of globs that meet it', async () => {
        await grant('s1.1', 'w /src/**/*.ts');
        const glob = 'write /src/**/*.ts by s1.1';
        expect(await check(['w /src/a.ts'])).toEqual([`glob ${glob}`]);
        expect(await check(['w /src/deep/er/a.ts'])).toEqual([`glob ${glob}`]);
        expect(await check(['w /src/a.md', 'w /lib/a.ts', 'w /srcs/a.ts', 'w /src/*.md', 'w /*/x/*.md'])).toEqual([]);
        expect(await checkTree('/src/auth')).toEqual(['glob']);
        expect(await checkTree('/lib')).toEqual([]);
        expect(await check(['w /src'])).toEqual([`below ${glob}`]);
        expect(await check(['w '])).toEqual([`below ${glob}`]);
        expect(await check(['w /**/b.ts'])).toEqual([`below ${glob}`]);
        expect(await check(['w /src/**/*.ts'])).toEqual([`below ${glob}`]);
        expect(await check(['w /src/x/*.ts'])).toEqual([`glob ${glob}`]);
        await end('s1.1');
        expect(await check(['w ', 'w /src/a.ts', 'w /**'])).toEqual([]);
        expect((await rig.leftovers?.(project)) ?? []).toEqual([]);
      });

      test('a requested glob meets what is held above its base, at it, and what it matches below', async () => {
        await apply({
          holdsGranted: [hold('s1.1'), hold('s2.2')],
          claimsGranted: [
            claim('s1.1', 'w /a'),
            claim('s1.1', 'w /a/b/c.ts'),
            claim('s1.1', 'w /a/b/c.md'),
            { ...claim('s1.1', 'w /a/b/tree'), display: 'a/b/tree/' },
            claim('s1.1', 'w /a/b/file'),
            claim('s2.2', 'r /a/b/d.ts'),
            claim('s2.2', 'r /a/*/z.ts'),
          ],
        });
        const inWay = ['above write /a by s1.1', 'below write /a/b/c.ts by s1.1', 'below write /a/b/tree by s1.1'];
        expect(await check(['r /a/b/**/*.ts'])).toEqual(inWay);
        expect(await check(['w /a/b/**/*.ts'])).toEqual([
          'above write /a by s1.1',
          'glob read /a/*/z.ts by s2.2',
          'below write /a/b/c.ts by s1.1',
          'below read /a/b/d.ts by s2.2',
          'below write /a/b/tree by s1.1',
        ]);
        expect(await check(['w /a/b/**/*.ts'], 's2')).toEqual(inWay);
        expect(await check(['w /a/b/**/*.ts'], 's1', 's2')).toEqual([]);
      });

      test('readers of globs share', async () => {
        await grant('s1.1', 'r /src/*.ts');
        expect(await check(['r /src/a.ts', 'r /src', 'r /**/a.ts'])).toEqual([]);
        expect(await check(['w /src/a.ts', 'w /**/a.ts'])).toEqual(['0 glob read /src/*.ts by s1.1', '1 below read /src/*.ts by s1.1']);
      });

      test('a glob over more than is compared takes all of it to be in its way', async () => {
        const files = Array.from({ length: MAX_COMPARED }, (_, i) => `w /d/${String(i).padStart(4, '0')}.md`);
        await grant('s1.1', ...files);
        expect(await check(['w /d/*.ts', 'w /**/*.ts'])).toEqual([]);
        await grant('s2.2', 'w /d/a.md');
        expect(await check(['w /d/*.ts'])).toHaveLength(MAX_CONFLICTS);
        expect(await check(['w /d/*.ts'], 's1')).toEqual(['below write /d/a.md by s2.2']);
        expect(await check(['w /d/e/*.ts', 'r /d/a.ts'])).toEqual([]);
      });

      test('a glob of its own covers what it takes in, in a mode that suffices', async () => {
        await grant('s1.1', 'w /src/**/*.ts', 'r /docs/*', 'w /all/*/**');
        await grant('s2.2', 'w /lib/');
        const asked: Array<[string, boolean]> = [
          ['w /src/a.ts', true],
          ['r /src/x/a.ts', true],
          ['w /src/a.md', false],
          ['w /src', false],
          ['w /src/**/*.ts', true],
          ['w /src/*.ts', false],
          ['r /docs/a', true],
          ['w /docs/a', false],
          ['r /docs/a/b', false],
          ['w /all/x/y', true],
          ['w /all', false],
        ];
        const requests = asked.map(([text]) => request(text));
        expect(await covered(project, requests, ['child', 's1'])).toEqual(asked.map(([, answer]) => answer));
        expect(await covered(project, requests, ['s2'])).toEqual(asked.map(() => false));
        const trees = ['/all/x', '/src/x', '/docs/a'].map((node) => ({ node, mode: 'read' as const, kind: 'tree' as const }));
        expect(await covered(project, trees, ['s1'])).toEqual([true, false, false]);
      });

      test('takes as many globs as a project may have, and 500 requests below them', async () => {
        await grant('s1.1', ...Array.from({ length: 128 }, (_, i) => `w /src/**/*-${i}.ts`));
        const asked = Array.from({ length: 500 }, (_, i) => `w /src/deep/file-${i + 127}.ts`);
        expect(await check(asked)).toEqual(['0 glob write /src/**/*-127.ts by s1.1']);
        await end('s1.1');
        expect((await rig.leftovers?.(project)) ?? []).toEqual([]);
      });

      test('keeps projects apart', async () => {
        const other = crypto.randomUUID();
        await leases.load(other, { ledger, ver: 0 }, none);
        await grant('s1.1', 'w /a');
        expect(await conflicts(other, [request('w /a')], [])).toEqual([]);
      });
    });

    describe('a beat', () => {
      beforeEach(async () => {
        await apply({
          sessionsOpened: [
            { id: 's1', ttlMs: ttl },
            { id: 's2', ttlMs: ttl },
          ],
        });
      });

      test('names the open holds by fence, those without claims too', async () => {
        await apply({ holdsGranted: [{ id: 'z', session: 's1', label: 'login', fence: 3 }] });
        await grant('s1.12', 'w /a');
        await grant('s2.4', 'w /b');
        expect(await beat('s1')).toEqual({
          session: 's1',
          state: 'ok',
          ttlMs: ttl,
          holds: [
            { id: 'z', label: 'login', fence: 3 },
            { id: 's1.12', label: null, fence: 12 },
          ],
          lost: [],
        });
      });

      test('tells once what others ended, by fence, and how', async () => {
        await grant('s1.3', 'w /a');
        await grant('s1.2', 'w /b');
        await grant('s1.1', 'w /c');
        await end('s1.3', 'handed_over');
        await end('s1.1', 'forced');
        await end('s1.2', 'lost');
        expect(await beat('s1')).toMatchObject({
          holds: [],
          lost: [
            { id: 's1.1', label: null, fence: 1, as: 'forced' },
            { id: 's1.2', label: null, fence: 2, as: 'lost' },
            { id: 's1.3', label: null, fence: 3, as: 'handed_over' },
          ],
        });
        expect(await beat('s1')).toMatchObject({ lost: [] });
      });

      test('does not tell what the session released itself', async () => {
        await grant('s1.1', 'w /a');
        await end('s1.1', 'released');
        expect(await beat('s1')).toMatchObject({ holds: [], lost: [] });
      });

      test('tells a session only of its own', async () => {
        await grant('s1.1', 'w /a');
        await end('s1.1', 'forced');
        expect(await beat('s2')).toMatchObject({ lost: [] });
        expect(await beat('s1')).toMatchObject({ lost: [{ id: 's1.1' }] });
      });

      test('keeps what was lost through another open', async () => {
        await grant('s1.1', 'w /a');
        await end('s1.1', 'forced');
        await leases.open(project, 's1', ttl);
        expect(await beat('s1')).toMatchObject({ lost: [{ id: 's1.1', as: 'forced' }] });
      });

      test('forgets what a closed session lost', async () => {
        await grant('s1.1', 'w /a');
        await end('s1.1', 'lost');
        await apply({ sessionsClosed: ['s1'] });
        await apply({ sessionsOpened: [{ id: 's1', ttlMs: ttl }] });
        expect(await beat('s1')).toMatchObject({ lost: [] });
      });

      test('of sessions whose names begin alike tells them apart', async () => {
        await leases.open(project, 's1x', ttl);
        await grant('s1x.1', 'w /a');
        await grant('s1.2', 'w /b');
        await end('s1x.1', 'forced');
        expect(await beat('s1')).toMatchObject({ holds: [{ id: 's1.2' }], lost: [] });
        expect(await beat('s1x')).toMatchObject({ holds: [], lost: [{ id: 's1x.1' }] });
      });
    });

    test('it answers a ping', async () => {
      await leases.ping();
    });

    test('it agrees with a naive model on a random walk', async () => {
      expect((await walkSuite(rig, runOf(4_000))).violations).toEqual([]);
    }, 600_000);
  });
}

const none: IndexChanges = {
  claimsEnded: [],
  holdsEnded: [],
  sessionsClosed: [],
  sessionsOpened: [],
  holdsGranted: [],
  claimsGranted: [],
};

const hold = (id: string): IndexedHold => ({ id, session: id.split('.')[0] ?? '', label: null, fence: Number(id.split('.')[1]) });

/** 'w /src' is a write claim of /src. */
const request = (text: string) => ({ node: text.slice(2), mode: text.startsWith('w') ? ('write' as const) : ('read' as const) });
const ended = (id: string, text: string) => ({ hold: id, ...request(text) });
const claim = (id: string, text: string) => ({ ...ended(id, text), display: text.slice(3) });

const conflict = (index: number, why: IndexConflict['why'], id: string, text: string): IndexConflict => ({
  claim: index,
  why,
  ...request(text),
  display: text.slice(3),
  hold: hold(id),
});
