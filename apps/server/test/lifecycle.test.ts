import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { createCrew, type Crew, eventsOf, raw, refusal, slugs } from './support.ts';

type Terminal = Client & { sessionId: string };
type Verb = 'readyFeature' | 'pickFeature' | 'releaseFeature' | 'doneFeature' | 'cancelFeature' | 'deleteFeature' | 'resumeFeature';

onEachEngineSet('lifecycle', (set) => {
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  let lead: Client;
  /** Two terminals of the same engineer, and one of a colleague. */
  let one: Terminal;
  let two: Terminal;
  let colleague: Terminal;

  beforeAll(async () => {
    server = await startServer(set);
    crew = await createCrew(server);
    lead = crew.lead;
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    projectId = await crew.project();
    [one, two, colleague] = await Promise.all([terminal(lead, projectId), terminal(lead, projectId), terminal(crew.member, projectId)]);
  });

  const draft = (slug: string, touches: string[] = []) => lead.createFeature({ projectId, body: { slug, title: slug, spec: '', touches } });
  const at = (slug: string) => ({ projectId, slug });
  const get = (slug: string) => lead.getFeature(at(slug));
  const held = async () => (await lead.listClaims({ projectId })).map(({ filePath }) => filePath);

  describe('the way of a feature', () => {
    test('goes from draft to ready to active to done, and tells the feed each step', async () => {
      await draft('f', ['src/a.ts']);
      expect(await lead.readyFeature(at('f'))).toMatchObject({ status: 'ready', heldBy: null, fence: null });
      const picked = await one.pickFeature(at('f'));
      expect(picked).toMatchObject({
        status: 'active',
        heldBy: { sessionId: one.sessionId, agent: 'claude', parked: false },
        touches: ['src/a.ts'],
      });
      expect(picked.warnings).toBeUndefined();
      expect(await get('f')).toEqual(picked);
      expect(await held()).toEqual(['src/a.ts']);
      expect(await one.doneFeature(at('f'))).toMatchObject({ status: 'done', heldBy: null, fence: null, claimedBy: crew.lead.engineer.id });
      expect((await get('f')).completedAt).not.toBeNull();
      expect(await held()).toEqual([]);
      const types = (await eventsOf(lead, projectId)).filter(({ feature }) => feature?.slug === 'f').map(({ type }) => type);
      expect(types).toEqual([
        'feature_created',
        'feature_updated',
        'files_claimed',
        'feature_claimed',
        'feature_completed',
        'files_released',
      ]);
    });

    test('release brings it back to ready and frees its paths for the next', async () => {
      await readyFeature(lead, projectId, 'f', ['src/']);
      const first = await one.pickFeature(at('f'));
      expect(await one.releaseFeature(at('f'))).toMatchObject({ status: 'ready', claimedBy: null, claimedAt: null, interrupted: false });
      const second = await colleague.pickFeature(at('f'));
      expect(second.fence ?? 0).toBeGreaterThan(first.fence ?? 0);
    });

    test('a draft is deleted; its slug is free again', async () => {
      await draft('f');
      expect(await lead.deleteFeature(at('f'))).toEqual({ deleted: true });
      expect((await refusal(get('f'))).code).toBe('NOT_FOUND');
      await draft('f');
    });

    test('drafts and ready features are cancelled by any member, active ones by their holder', async () => {
      await draft('d');
      await readyFeature(lead, projectId, 'r');
      await readyFeature(lead, projectId, 'a', ['a.ts']);
      expect((await crew.member.cancelFeature(at('d'))).status).toBe('cancelled');
      expect((await crew.member.cancelFeature(at('r'))).status).toBe('cancelled');
      await one.pickFeature(at('a'));
      for (const other of [two, colleague, crew.member]) expect((await refusal(other.cancelFeature(at('a')))).code).toBe('FENCED');
      expect((await one.cancelFeature(at('a'))).status).toBe('cancelled');
      expect((await one.cancelFeature(at('a'))).status).toBe('cancelled');
      expect(await held()).toEqual([]);
    });

    test('a slug is taken once; one that would hide behind a route is refused', async () => {
      await draft('f');
      expect(await refusal(draft('f'))).toMatchObject({ code: 'ALREADY_EXISTS', details: { field: 'slug' } });
      expect(await refusal(draft('available'))).toMatchObject({ code: 'VALIDATION_ERROR', details: { field: 'slug' } });
    });
  });

  describe('a step that the state forbids is a 409 that names state and holder', () => {
    const reach: Record<string, (slug: string) => Promise<unknown>> = {
      draft: (slug) => draft(slug, ['x.ts']),
      ready: (slug) => readyFeature(lead, projectId, slug, ['x.ts']),
      active: async (slug) => (await readyFeature(lead, projectId, slug, ['x.ts']), colleague.pickFeature(at(slug))),
      done: async (slug) => (
        await readyFeature(lead, projectId, slug, ['x.ts']),
        await one.pickFeature(at(slug)),
        one.doneFeature(at(slug))
      ),
      cancelled: async (slug) => (await draft(slug), lead.cancelFeature(at(slug))),
    };
    const forbidden: Record<string, Verb[]> = {
      draft: ['pickFeature', 'releaseFeature', 'doneFeature', 'resumeFeature'],
      ready: ['releaseFeature', 'doneFeature', 'deleteFeature', 'resumeFeature'],
      active: ['readyFeature', 'pickFeature', 'releaseFeature', 'doneFeature', 'cancelFeature', 'deleteFeature', 'resumeFeature'],
      done: ['readyFeature', 'pickFeature', 'releaseFeature', 'cancelFeature', 'deleteFeature', 'resumeFeature'],
      cancelled: ['readyFeature', 'pickFeature', 'releaseFeature', 'doneFeature', 'deleteFeature', 'resumeFeature'],
    };
    for (const [status, verbs] of Object.entries(forbidden)) {
      test(`${status}: ${verbs.map((verb) => verb.replace('Feature', '')).join(', ')}`, async () => {
        await reach[status]?.('f');
        const before = await get('f');
        for (const verb of verbs) {
          const refused = await refusal(two[verb](at('f')));
          const fenced = status === 'active' && ['releaseFeature', 'doneFeature', 'cancelFeature'].includes(verb);
          expect([verb, refused.status, refused.code]).toEqual([verb, 409, fenced ? 'FENCED' : 'INVALID_STATUS_TRANSITION']);
          expect(refused.details).toMatchObject({
            slug: 'f',
            status,
            heldBy: status === 'active' ? { sessionId: colleague.sessionId, engineerName: 'Mem' } : null,
          });
          expect(refused.message).toContain(status === 'active' ? 'Mem (claude)' : `f is ${status}`);
        }
        expect(await get('f')).toEqual(before);
      });
    }

    test('unknown features are 404 for every verb', async () => {
      const verbs: Verb[] = [
        'readyFeature',
        'pickFeature',
        'releaseFeature',
        'doneFeature',
        'cancelFeature',
        'deleteFeature',
        'resumeFeature',
      ];
      for (const verb of verbs) expect((await refusal(two[verb](at('nothing')))).code).toBe('NOT_FOUND');
    });
  });

  describe('pick', () => {
    test('picking what the session holds already is the same pick, with the same fence', async () => {
      await readyFeature(lead, projectId, 'f', ['a.ts']);
      const { fence } = await one.pickFeature(at('f'));
      const head = (await eventsOf(lead, projectId)).length;
      expect((await one.pickFeature(at('f'))).fence).toBe(fence);
      expect(await eventsOf(lead, projectId)).toHaveLength(head);
    });

    test('succeeds beside others who edit the feature at the same time', async () => {
      await readyFeature(lead, projectId, 'f', ['a.ts']);
      for (let round = 0; round < 5; round += 1) {
        const edits = Array.from({ length: 6 }, (_, edit) => lead.updateFeature({ ...at('f'), body: { title: `${round} ${edit}` } }));
        const [picked] = await Promise.all([one.pickFeature(at('f')), ...edits]);
        expect(picked.status).toBe('active');
        await one.releaseFeature(at('f'));
      }
    });

    test('warns when the feature touches no paths', async () => {
      const ready = await readyFeature(lead, projectId, 'f');
      expect(ready.warnings?.join()).toContain('no paths');
      expect((await one.pickFeature(at('f'))).warnings?.join()).toContain('no paths');
    });

    test('names every holder in the way, and takes nothing', async () => {
      await readyFeature(lead, projectId, 'one', ['src/a/', 'docs/x.md']);
      await readyFeature(lead, projectId, 'two', ['lib/b.ts']);
      await readyFeature(lead, projectId, 'wide', ['free.ts', 'src/a/deep.ts', 'lib/']);
      await one.pickFeature(at('one'));
      await colleague.pickFeature(at('two'));
      const refused = await refusal(two.pickFeature(at('wide')));
      expect(refused).toMatchObject({ status: 409, code: 'FILE_ALREADY_CLAIMED' });
      const { conflicts } = refused.details as {
        conflicts: Array<{ filePath: string; heldPath: string; claimedBy: Record<string, unknown> }>;
      };
      expect(conflicts.map(({ filePath, heldPath }) => [filePath, heldPath])).toEqual([
        ['src/a/deep.ts', 'src/a/'],
        ['lib/', 'lib/b.ts'],
      ]);
      expect(conflicts.map(({ claimedBy }) => [claimedBy['sessionId'], claimedBy['featureSlug'], claimedBy['engineerName']])).toEqual([
        [one.sessionId, 'one', 'Lead'],
        [colleague.sessionId, 'two', 'Mem'],
      ]);
      expect(await held()).toEqual(['docs/x.md', 'lib/b.ts', 'src/a/']);
      expect((await get('wide')).status).toBe('ready');
    });

    test('one session works on several features; ending one leaves the paths of the other', async () => {
      await readyFeature(lead, projectId, 'a', ['a.ts', 'shared.ts']);
      await readyFeature(lead, projectId, 'b', ['b.ts', 'shared.ts']);
      await one.pickFeature(at('a'));
      await one.pickFeature(at('b'));
      await one.doneFeature(at('a'));
      expect(await held()).toEqual(['b.ts', 'shared.ts']);
      expect((await get('b')).status).toBe('active');
    });
  });

  describe('dependencies', () => {
    test('a feature waits until all that it depends on is done', async () => {
      await readyFeature(lead, projectId, 'base');
      await readyFeature(lead, projectId, 'top', ['t.ts'], ['base']);
      expect(await refusal(one.pickFeature(at('top')))).toMatchObject({
        status: 409,
        code: 'DEPENDENCIES_UNMET',
        details: { waitsFor: ['base'] },
      });
      await two.pickFeature(at('base'));
      expect((await refusal(one.pickFeature(at('top')))).code).toBe('DEPENDENCIES_UNMET');
      await two.doneFeature(at('base'));
      expect((await one.pickFeature(at('top'))).status).toBe('active');
    });

    test('unknown ones, circles and itself are refused', async () => {
      await draft('a');
      await lead.createFeature({ projectId, body: { slug: 'b', title: 'b', spec: '', dependsOn: ['a'] } });
      await lead.createFeature({ projectId, body: { slug: 'c', title: 'c', spec: '', dependsOn: ['b'] } });
      const dependOn = (slug: string, dependsOn: string[]) => refusal(lead.updateFeature({ ...at(slug), body: { dependsOn } }));
      for (const refused of [await dependOn('a', ['c']), await dependOn('a', ['a']), await dependOn('a', ['b', 'nothing'])]) {
        expect(refused).toMatchObject({ status: 400, code: 'VALIDATION_ERROR', details: { field: 'dependsOn' } });
      }
      expect((await get('a')).dependsOn).toEqual([]);
      expect((await refusal(lead.deleteFeature(at('a')))).message).toContain('b depends on it');
    });
  });

  describe('pick-next and available', () => {
    const feature = (slug: string, lane: 'now' | 'next' | 'later' | 'icebox', priority?: number, touches: string[] = [`${slug}.ts`]) =>
      lead
        .createFeature({ projectId, body: { slug, title: slug, spec: '', lane, touches, ...(priority === undefined ? {} : { priority }) } })
        .then(() => lead.readyFeature(at(slug)));

    test('goes by lane, now before next before later before icebox, then by priority', async () => {
      for (const [slug, lane, priority] of [
        ['i', 'icebox', 0],
        ['l', 'later', 0],
        ['n2', 'next', 2],
        ['n1', 'next', 1.5],
        ['w', 'now', 9],
      ] as const) {
        await feature(slug, lane, priority);
      }
      expect(slugs(await lead.availableFeatures({ projectId }))).toEqual(['w', 'n1', 'n2', 'l', 'i']);
      expect(slugs((await lead.listFeatures({ projectId })).items)).toEqual(['w', 'n1', 'n2', 'l', 'i']);
      expect((await one.pickNext({ projectId, body: { lane: 'later' } })).slug).toBe('l');
      const picked: string[] = [];
      for (let count = 0; count < 4; count += 1) picked.push((await one.pickNext({ projectId })).slug);
      expect(picked).toEqual(['w', 'n1', 'n2', 'i']);
      expect(await refusal(one.pickNext({ projectId }))).toMatchObject({ status: 409, code: 'NOTHING_AVAILABLE' });
    });

    test('a list is paged without skipping or repeating', async () => {
      for (let count = 0; count < 7; count += 1) await feature(`f${count}`, count % 2 ? 'now' : 'later', 1);
      const all = slugs((await lead.listFeatures({ projectId })).items);
      const paged: string[] = [];
      let cursor: string | null | undefined;
      do {
        const page = await lead.listFeatures({ projectId, query: { limit: 3, ...(cursor ? { cursor } : {}) } });
        paged.push(...slugs(page.items));
        expect(page.hasMore).toBe(page.nextCursor !== null);
        cursor = page.nextCursor;
      } while (cursor);
      expect(paged).toEqual(all);
    });

    test('passes over what is blocked, and says what each one waits for', async () => {
      await feature('base', 'later');
      await feature('held', 'now', 1, ['src/a.ts']);
      await feature('blocked', 'now', 2, ['src/']);
      await readyFeature(lead, projectId, 'waiting', ['w.ts'], ['base']);
      await colleague.pickFeature(at('held'));
      const available = await two.availableFeatures({ projectId });
      expect(slugs(available)).toEqual(['base', 'blocked', 'waiting']);
      expect(available.map(({ blockedBy }) => blockedBy)).toEqual([
        null,
        { engineerId: crew.member.engineer.id, engineerName: 'Mem', featureSlug: 'held' },
        null,
      ]);
      expect(available.map(({ waitsFor }) => waitsFor)).toEqual([[], [], ['base']]);
      expect((await two.pickNext({ projectId })).slug).toBe('base');
      expect(await refusal(two.pickNext({ projectId }))).toMatchObject({
        code: 'NOTHING_AVAILABLE',
        details: {
          waiting: [
            { slug: 'blocked', waitsFor: [], heldBy: ['Mem (held)'] },
            { slug: 'waiting', waitsFor: ['base'], heldBy: [] },
          ],
        },
      });
    });

    test('own claims, and reading beside readers, do not block', async () => {
      await feature('mine', 'now', 1, ['src/']);
      await feature('beside', 'now', 2, ['src/b.ts']);
      await feature('reads', 'now', 3, ['ro:docs/a.md']);
      await one.pickFeature(at('mine'));
      await colleague.claim({ projectId, body: { paths: ['ro:docs/'] } });
      const blocked = async (client: Client) =>
        (await client.availableFeatures({ projectId })).filter(({ blockedBy }) => blockedBy).map(({ slug }) => slug);
      expect(await blocked(one)).toEqual([]);
      expect(await blocked(two)).toEqual(['beside']);
      expect(await blocked(lead)).toEqual(['beside']);
      expect((await two.pickNext({ projectId })).slug).toBe('reads');
    });
  });

  describe('changing a feature', () => {
    test('PATCH with the ETag that was read changes; with an older one it is 412', async () => {
      await draft('f');
      const path = `/api/projects/${projectId}/features/f`;
      const key = lead.options.apiKey;
      const etag = (await raw(server, 'GET', path, { key })).headers.get('etag') ?? '';
      const patch = (title: string, match: string) => raw(server, 'PATCH', path, { key, headers: { 'if-match': match }, body: { title } });
      const changed = await patch('New', etag);
      expect([changed.status, changed.headers.get('etag')]).not.toEqual([200, etag]);
      expect((await patch('Newer', etag)).json?.error?.code).toBe('PRECONDITION_FAILED');
      expect((await patch('Newer', changed.headers.get('etag') ?? '')).status).toBe(200);
      expect((await patch('Newest', '*')).status).toBe(200);
      expect((await get('f')).title).toBe('Newest');
    });

    test('each changed field is one event with old and new value; an equal value is none', async () => {
      await draft('f', ['a.ts']);
      await lead.updateFeature({ ...at('f'), body: { title: 'T', lane: 'now', spec: 'text', touches: ['a.ts'] } });
      const { version } = await get('f');
      expect((await lead.updateFeature({ ...at('f'), body: { title: 'T', touches: ['./a.ts'] } })).version).toBe(version);
      const events = (await eventsOf(lead, projectId)).filter(({ type }) => type === 'feature_updated').map(({ data }) => data);
      expect(events).toEqual([
        { field: 'title', oldValue: 'f', newValue: 'T' },
        { field: 'spec' },
        { field: 'lane', oldValue: 'next', newValue: 'now' },
      ]);
    });

    test('its holder changes the touches of an active feature: an extend and shrink under the same fence', async () => {
      await readyFeature(lead, projectId, 'f', ['keep.ts', 'drop.ts', 'ro:up.ts']);
      const { fence } = await one.pickFeature(at('f'));
      const changed = await one.updateFeature({ ...at('f'), body: { touches: ['keep.ts', 'up.ts', 'new/'] } });
      expect(changed).toMatchObject({ fence, status: 'active', touches: ['keep.ts', 'up.ts', 'new/'] });
      const claims = await lead.listClaims({ projectId });
      expect(claims.map((claim) => [claim.filePath, claim.mode, claim.fence])).toEqual([
        ['keep.ts', 'write', fence ?? 0],
        ['new/', 'write', fence ?? 0],
        ['up.ts', 'write', fence ?? 0],
      ]);
    });

    test('all or nothing: touches that collide leave the hold and the feature as they were', async () => {
      await readyFeature(lead, projectId, 'f', ['keep.ts', 'drop.ts']);
      await one.pickFeature(at('f'));
      await colleague.claim({ projectId, body: { paths: ['theirs.ts'] } });
      expect((await refusal(one.updateFeature({ ...at('f'), body: { title: 'no', touches: ['keep.ts', 'theirs.ts'] } }))).code).toBe(
        'FILE_ALREADY_CLAIMED',
      );
      expect(await get('f')).toMatchObject({ title: 'f', touches: ['keep.ts', 'drop.ts'] });
      expect(await held()).toEqual(['drop.ts', 'keep.ts', 'theirs.ts']);
    });

    test('anyone else gets 409 for the touches, and may change the rest', async () => {
      await readyFeature(lead, projectId, 'f', ['a.ts']);
      await one.pickFeature(at('f'));
      for (const other of [two, colleague, lead]) {
        expect(await refusal(other.updateFeature({ ...at('f'), body: { touches: [] } }))).toMatchObject({ status: 409, code: 'FENCED' });
      }
      expect((await colleague.updateFeature({ ...at('f'), body: { title: 'T' } })).title).toBe('T');
      expect(await held()).toEqual(['a.ts']);
    });

    test('touches under a fence that is no longer the current one change nothing', async () => {
      await readyFeature(lead, projectId, 'f', ['a.ts']);
      const { fence } = await one.pickFeature(at('f'));
      const late = () => refusal(one.updateFeature({ ...at('f'), body: { touches: ['b.ts'], fence: fence ?? 0 } }));
      await one.releaseFeature(at('f'));
      expect((await late()).code).toBe('FENCED');
      await one.pickFeature(at('f'));
      expect((await late()).code).toBe('FENCED');
      expect((await get('f')).touches).toEqual(['a.ts']);
    });

    test('the paths of what is done or cancelled stay', async () => {
      await draft('f', ['a.ts']);
      await lead.cancelFeature(at('f'));
      expect((await refusal(lead.updateFeature({ ...at('f'), body: { touches: [] } }))).code).toBe('INVALID_STATUS_TRANSITION');
    });
  });

  describe('fences', () => {
    test('grow with every hold of the project, whatever it is for', async () => {
      await readyFeature(lead, projectId, 'f', ['f.ts']);
      const seen: number[] = [];
      for (let round = 0; round < 3; round += 1) {
        seen.push((await one.pickFeature(at('f'))).fence ?? 0);
        await one.releaseFeature(at('f'));
        seen.push((await two.claim({ projectId, body: { paths: ['x.ts'] } })).fence);
        await two.releaseClaims({ projectId });
      }
      expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    });

    test('an old fence is refused by done, release and cancel, and told who has it now', async () => {
      await readyFeature(lead, projectId, 'f', ['f.ts']);
      const { fence: old } = await one.pickFeature(at('f'));
      await one.releaseFeature(at('f'));
      const { fence } = await colleague.pickFeature(at('f'));
      for (const verb of ['doneFeature', 'releaseFeature', 'cancelFeature'] as const) {
        const refused = await refusal(one[verb]({ ...at('f'), body: { fence: old ?? 0 } }));
        expect(refused).toMatchObject({
          status: 409,
          code: 'FENCED',
          details: { fence, quoted: old, heldBy: { sessionId: colleague.sessionId, engineerName: 'Mem' } },
        });
      }
      expect(await get('f')).toMatchObject({ status: 'active', fence });
    });

    test('one session: done under the fence of its earlier hold is refused, under the current one accepted', async () => {
      await readyFeature(lead, projectId, 'f');
      const { fence: old } = await one.pickFeature(at('f'));
      await one.releaseFeature(at('f'));
      const { fence } = await one.pickFeature(at('f'));
      expect((await refusal(one.doneFeature({ ...at('f'), body: { fence: old ?? 0 } }))).code).toBe('FENCED');
      expect((await one.doneFeature({ ...at('f'), body: { fence: fence ?? 0 } })).status).toBe('done');
    });

    test('the retry of done and of release by the same session succeeds, with and without its fence; by others it does not', async () => {
      await readyFeature(lead, projectId, 'd');
      await readyFeature(lead, projectId, 'r');
      for (const [verb, slug] of [
        ['doneFeature', 'd'],
        ['releaseFeature', 'r'],
      ] as const) {
        const { fence } = await one.pickFeature(at(slug));
        const ended = await one[verb](at(slug));
        expect(await one[verb](at(slug))).toEqual(ended);
        expect(await one[verb]({ ...at(slug), body: { fence: fence ?? 0 } })).toEqual(ended);
        expect((await refusal(two[verb](at(slug)))).status).toBe(409);
        expect((await refusal(one[verb]({ ...at(slug), body: { fence: (fence ?? 0) + 1 } }))).code).toBe('FENCED');
      }
    });
  });

  describe('force-release', () => {
    test('a lead ends any hold, naming its fence; the feature is ready, interrupted, and its holder hears of it', async () => {
      await readyFeature(lead, projectId, 'f', ['f.ts']);
      const { fence } = await colleague.pickFeature(at('f'));
      const released = await lead.forceReleaseFeature({ ...at('f'), body: { fence: fence ?? 0, reason: 'stuck' } });
      expect(released).toMatchObject({ status: 'ready', interrupted: true, heldBy: null });
      expect(await held()).toEqual([]);
      expect(await refusal(colleague.doneFeature({ ...at('f'), body: { fence: fence ?? 0 } }))).toMatchObject({ code: 'FENCED' });
      expect((await refusal(colleague.doneFeature(at('f')))).status).toBe(409);
      const event = (await eventsOf(lead, projectId)).find(({ type }) => type === 'feature_released');
      expect(event?.data).toMatchObject({ reason: 'forced', note: 'stuck', fence });
    });

    test('an engineer ends holds of the own sessions; those of others need a lead', async () => {
      await readyFeature(lead, projectId, 'own');
      await readyFeature(lead, projectId, 'foreign');
      const { fence } = await colleague.pickFeature(at('own'));
      expect((await crew.member.forceReleaseFeature({ ...at('own'), body: { fence: fence ?? 0, reason: 'mine' } })).status).toBe('ready');
      const { fence: foreign } = await one.pickFeature(at('foreign'));
      expect(
        await refusal(crew.member.forceReleaseFeature({ ...at('foreign'), body: { fence: foreign ?? 0, reason: 'x' } })),
      ).toMatchObject({ status: 403, code: 'INSUFFICIENT_ROLE' });
    });

    test('a wrong fence breaks nothing, and neither does a feature that nobody holds', async () => {
      await readyFeature(lead, projectId, 'f');
      const { fence } = await colleague.pickFeature(at('f'));
      expect(await refusal(lead.forceReleaseFeature({ ...at('f'), body: { fence: (fence ?? 0) + 1, reason: 'x' } }))).toMatchObject({
        code: 'FENCED',
        details: { fence },
      });
      expect((await get('f')).status).toBe('active');
      await colleague.releaseFeature(at('f'));
      expect((await refusal(lead.forceReleaseFeature({ ...at('f'), body: { fence: fence ?? 0, reason: 'x' } }))).code).toBe(
        'INVALID_STATUS_TRANSITION',
      );
    });
  });

  describe('resume', () => {
    test('an interrupted feature is resumed by another engineer under a new fence, and is not interrupted any more', async () => {
      await readyFeature(lead, projectId, 'f', ['f.ts']);
      const { fence: old } = await one.pickFeature(at('f'));
      await lead.forceReleaseFeature({ ...at('f'), body: { fence: old ?? 0, reason: 'x' } });
      const resumed = await colleague.resumeFeature(at('f'));
      expect(resumed).toMatchObject({ status: 'active', interrupted: false, heldBy: { sessionId: colleague.sessionId } });
      expect(resumed.fence ?? 0).toBeGreaterThan(old ?? 0);
      expect(resumed.warnings?.join()).toContain('lost');
      expect((await colleague.resumeFeature(at('f'))).fence).toBe(resumed.fence);
    });
  });

  describe('parent and child', () => {
    test('a parent ends what its child holds; a child does not end what its parent holds', async () => {
      const child = await terminal(lead, projectId, { parentId: one.sessionId });
      await readyFeature(lead, projectId, 'c', ['c.ts']);
      await readyFeature(lead, projectId, 'p', ['p.ts']);
      await child.pickFeature(at('c'));
      await one.pickFeature(at('p'));
      expect((await refusal(child.doneFeature(at('p')))).code).toBe('FENCED');
      expect((await refusal(child.updateFeature({ ...at('p'), body: { touches: [] } }))).code).toBe('FENCED');
      expect((await one.updateFeature({ ...at('c'), body: { touches: ['c2.ts'] } })).touches).toEqual(['c2.ts']);
      expect((await one.doneFeature(at('c'))).status).toBe('done');
    });
  });

  describe('idempotency keys', () => {
    test('the same key gives the same answer, also after the world has moved on', async () => {
      await readyFeature(lead, projectId, 'f', ['f.ts']);
      const options = { idempotencyKey: crypto.randomUUID() };
      const first = await one.pickFeature(at('f'), options);
      await one.releaseFeature(at('f'));
      await colleague.pickFeature(at('f'));
      expect(await one.pickFeature(at('f'), options)).toEqual(first);
      const again = { idempotencyKey: crypto.randomUUID() };
      const created = await lead.createFeature({ projectId, body: { slug: 'g', title: 'g', spec: '' } }, again);
      expect(await lead.createFeature({ projectId, body: { slug: 'g', title: 'g', spec: '' } }, again)).toEqual(created);
    });

    test('the same key for another request is 422, and nothing happens', async () => {
      const options = { idempotencyKey: crypto.randomUUID() };
      await lead.createFeature({ projectId, body: { slug: 'a', title: 'a', spec: '' } }, options);
      expect(await refusal(lead.createFeature({ projectId, body: { slug: 'b', title: 'b', spec: '' } }, options))).toMatchObject({
        status: 422,
        code: 'IDEMPOTENCY_KEY_REUSED',
      });
      expect((await refusal(one.pickFeature(at('a'), options))).code).toBe('IDEMPOTENCY_KEY_REUSED');
      expect((await refusal(get('b'))).code).toBe('NOT_FOUND');
    });

    test('two at once with one key take place once and answer alike', async () => {
      await readyFeature(lead, projectId, 'f', ['f.ts']);
      const options = { idempotencyKey: crypto.randomUUID() };
      const [left, right] = await Promise.all([one.pickFeature(at('f'), options), one.pickFeature(at('f'), options)]);
      expect(left).toEqual(right);
      const created = { projectId, body: { slug: 'g', title: 'g', spec: '' } };
      const again = { idempotencyKey: crypto.randomUUID() };
      const [a, b] = await Promise.all([lead.createFeature(created, again), lead.createFeature(created, again)]);
      expect(a).toEqual(b);
      expect(
        (await eventsOf(lead, projectId)).filter(({ type, feature }) => type === 'feature_created' && feature?.slug === 'g'),
      ).toHaveLength(1);
    });

    test('one key at once in two projects is accepted once and refused once', async () => {
      const others = await Promise.all(Array.from({ length: 8 }, () => crew.project()));
      const options = { idempotencyKey: crypto.randomUUID() };
      const results = await Promise.allSettled(
        others.map((id) => lead.createFeature({ projectId: id, body: { slug: 'f', title: 'f', spec: '' } }, options)),
      );
      const refused = results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as { code: string }).code] : []));
      expect(refused).toEqual(Array.from({ length: 7 }, () => 'IDEMPOTENCY_KEY_REUSED'));
    });

    test('a project created twice under one key is one project', async () => {
      const options = { idempotencyKey: crypto.randomUUID() };
      const body = { name: 'P', slug: `p-${crypto.randomUUID()}` };
      expect(await lead.createProject({ body }, options)).toEqual(await lead.createProject({ body }, options));
    });
  });
});
