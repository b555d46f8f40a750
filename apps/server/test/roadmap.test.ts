import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import type { Lane, Roadmap } from '@nexus/contract';
import { onEachEngineSet, readyFeature, startServer, type TestServer } from './harness.ts';
import { createCrew, type Crew, eventsOf, refusal, slugs } from './support.ts';

onEachEngineSet('the roadmap', (set) => {
  let server: TestServer;
  let crew: Crew;
  let projectId: string;
  let lead: Client;

  beforeAll(async () => {
    server = await startServer(set);
    crew = await createCrew(server);
    lead = crew.lead;
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    projectId = await crew.project();
  });

  const draft = (slug: string, lane: Lane = 'next') => lead.createFeature({ projectId, body: { slug, title: slug, spec: '', lane } });
  const drafts = async (lane: Lane, ...names: string[]) => {
    for (const name of names) await draft(name, lane);
  };
  const lanesOf = ({ lanes }: Roadmap) => Object.fromEntries(lanes.map(({ lane, features }) => [lane, slugs(features)]));
  const shown = async () => lanesOf(await lead.roadmap({ projectId }));
  const versions = async () =>
    Object.fromEntries((await lead.roadmap({ projectId })).lanes.flatMap(({ features }) => features.map((one) => [one.slug, one.version])));

  test('has four lanes, each in its order, and nothing that is done or cancelled', async () => {
    await drafts('later', 'a', 'b');
    await drafts('now', 'c');
    await readyFeature(lead, projectId, 'd');
    await lead.pickFeature({ projectId, slug: 'd' });
    await readyFeature(lead, projectId, 'e');
    await lead.pickFeature({ projectId, slug: 'e' });
    await lead.doneFeature({ projectId, slug: 'e' });
    await draft('f');
    await lead.cancelFeature({ projectId, slug: 'f' });
    const roadmap = await crew.readonly.roadmap({ projectId });
    expect(roadmap.lanes.map(({ lane }) => lane)).toEqual(['now', 'next', 'later', 'icebox']);
    expect(lanesOf(roadmap)).toEqual({ now: ['c'], next: ['d'], later: ['a', 'b'], icebox: [] });
  });

  test('a move before or after another writes one row and one event', async () => {
    await drafts('now', 'a', 'b', 'c', 'd');
    const before = await versions();
    const moved = await lead.moveOnRoadmap({ projectId, slug: 'd', body: { lane: 'now', before: 'b' } });
    expect(moved).toMatchObject({ slug: 'd', lane: 'now', priority: 1.5 });
    expect((await shown())['now']).toEqual(['a', 'd', 'b', 'c']);
    expect(await versions()).toEqual({ ...before, d: 2 });
    await lead.moveOnRoadmap({ projectId, slug: 'a', body: { lane: 'now', after: 'c' } });
    expect((await shown())['now']).toEqual(['d', 'b', 'c', 'a']);
    const told = (await eventsOf(lead, projectId)).filter(({ type }) => type === 'feature_updated');
    expect(told.map(({ feature, data }) => [feature?.slug, data])).toEqual([
      ['d', { field: 'priority', oldValue: 4, newValue: 1.5 }],
      ['a', { field: 'priority', oldValue: 1, newValue: 4 }],
    ]);
  });

  test('a move to another lane ends last there, or where it is told; once more changes nothing', async () => {
    await drafts('now', 'a', 'b');
    await drafts('later', 'x', 'y');
    expect(await lead.moveOnRoadmap({ projectId, slug: 'x', body: { lane: 'now' } })).toMatchObject({ lane: 'now', priority: 3 });
    const again = await lead.moveOnRoadmap({ projectId, slug: 'x', body: { lane: 'now' } });
    expect(again).toMatchObject({ lane: 'now', priority: 3, version: 2 });
    await lead.moveOnRoadmap({ projectId, slug: 'y', body: { lane: 'now', after: 'a' } });
    expect(await lead.moveOnRoadmap({ projectId, slug: 'b', body: { lane: 'icebox', priority: 99 } })).toMatchObject({ priority: 99 });
    expect(await shown()).toEqual({ now: ['a', 'y', 'x'], next: [], later: [], icebox: ['b'] });
  });

  test('reordering puts the named in order, in their lane, and leaves the others where they are', async () => {
    await drafts('now', 'a', 'b', 'c');
    await drafts('later', 'x', 'y');
    const before = await versions();
    const answer = await lead.reorderRoadmap({ projectId, body: { now: ['c', 'x', 'a'], later: ['y', 'b'] } });
    expect(lanesOf(answer)).toEqual({ now: ['c', 'x', 'a'], next: [], later: ['y', 'b'], icebox: [] });
    expect(await shown()).toEqual(lanesOf(answer));
    const after = await versions();
    expect([after['a'], after['y']]).toEqual([before['a'], before['y']]);
  });

  test('the order that is offered is the roadmap’s', async () => {
    for (const slug of ['a', 'b', 'c']) await readyFeature(lead, projectId, slug);
    await lead.reorderRoadmap({ projectId, body: { now: ['c'], next: ['b', 'a'] } });
    expect(slugs(await lead.availableFeatures({ projectId }))).toEqual(['c', 'b', 'a']);
    expect((await lead.pickNext({ projectId })).slug).toBe('c');
  });

  test('what cannot be is refused whole, and says why', async () => {
    await drafts('now', 'a', 'b');
    await draft('gone');
    await lead.cancelFeature({ projectId, slug: 'gone' });
    const bad = (body: object) => refusal(lead.reorderRoadmap({ projectId, body }));
    for (const body of [{}, { now: [] }, { now: ['a', 'a'] }, { now: ['a'], later: ['a'] }, { soon: ['a'] }, { now: 'a' }])
      expect([body, (await bad(body)).status]).toEqual([body, 400]);
    expect(await bad({ now: ['b', 'nothing'] })).toMatchObject({ status: 404 });
    expect(await bad({ now: ['b', 'a', 'gone'] })).toMatchObject({ code: 'INVALID_STATUS_TRANSITION', details: { slug: 'gone' } });
    const move = (slug: string, body: Parameters<Client['moveOnRoadmap']>[0]['body']) =>
      refusal(lead.moveOnRoadmap({ projectId, slug, body }));
    expect(await move('a', { lane: 'now', before: 'b', after: 'b' })).toMatchObject({ status: 400 });
    expect(await move('a', { lane: 'later', before: 'b' })).toMatchObject({ status: 400, details: { field: 'before', value: 'b' } });
    expect(await move('a', { lane: 'now', after: 'a' })).toMatchObject({ status: 400 });
    expect(await move('nothing', { lane: 'now' })).toMatchObject({ status: 404 });
    expect((await refusal(crew.readonly.reorderRoadmap({ projectId, body: { now: ['b', 'a'] } }))).code).toBe('INSUFFICIENT_ROLE');
    expect(await refusal(crew.stranger.roadmap({ projectId }))).toMatchObject({ status: 404 });
    expect((await shown())['now']).toEqual(['a', 'b']);
  });

  test('twenty at once lose and double nothing, and every lane has one order', async () => {
    const names = Array.from({ length: 12 }, (_, at) => `f${at}`);
    await drafts('next', ...names);
    const shuffled = (seed: number) =>
      names.toSorted((a, b) => Math.sin(seed * 31 + Number(a.slice(1))) - Math.sin(seed * 31 + Number(b.slice(1))));
    await Promise.all(
      Array.from({ length: 20 }, (_, at) => {
        const order = shuffled(at);
        const [first = '', second = ''] = order;
        if (at % 3 === 0) return crew.member.moveOnRoadmap({ projectId, slug: first, body: { lane: at % 2 ? 'now' : 'later' } });
        if (at % 3 === 1)
          return lead.reorderRoadmap({ projectId, body: { now: order.slice(0, 5), next: order.slice(5, 9), later: order.slice(9) } });
        return lead.reorderRoadmap({ projectId, body: { next: [second, first], now: order.slice(2, 4) } });
      }),
    );
    const { lanes } = await lead.roadmap({ projectId });
    expect(lanes.flatMap(({ features }) => slugs(features)).toSorted()).toEqual(names.toSorted());
    for (const { features } of lanes) {
      const priorities = features.map(({ priority }) => priority);
      expect(new Set(priorities).size).toBe(priorities.length);
      expect(priorities).toEqual(priorities.toSorted((a, b) => a - b));
    }
  });
});
