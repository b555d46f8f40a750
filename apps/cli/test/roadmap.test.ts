import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { onEachEngineSet, readyFeature, startServer, type TestServer } from '../../server/test/harness.ts';
import { homeEnv, makePlace, type Place, type Ran, runHere } from '../src/testing/io.ts';

onEachEngineSet('nexus roadmap', (set) => {
  let server: TestServer;
  let place: Place;
  let lead: Client;
  let projectId: string;
  beforeAll(async () => {
    server = await startServer(set);
    place = makePlace();
    ({ projectId, lead } = await server.project());
    for (const slug of ['auth', 'search', 'cart']) await readyFeature(lead, projectId, slug);
    await lead.createFeature({ projectId, body: { slug: 'ideas', title: 'Ideas', spec: '', lane: 'icebox' } });
  });
  afterAll(async () => {
    place.remove();
    await server.stop();
  });
  const nexus = (...args: string[]): Promise<Ran> =>
    runHere(args, {
      cwd: place.dir,
      env: {
        ...homeEnv(place.dir),
        NEXUS_SERVER_URL: server.url,
        NEXUS_TOKEN: lead.options.apiKey ?? '',
        NEXUS_PROJECT: projectId,
        NEXUS_NO_KEEPER: '1',
      },
    });

  test('shows the board and moves features on it', async () => {
    expect((await nexus('roadmap', 'move', 'cart', '--before', 'auth')).out).toBe('cart stands in next, at 0\n');
    expect((await nexus('roadmap', 'promote', 'search')).out).toBe('search stands in now, at 1\n');
    expect((await nexus('roadmap', 'defer', 'ideas')).err).toContain('the last lane');
    await lead.pickFeature({ projectId, slug: 'auth' });
    expect((await nexus('roadmap')).out.split('\n')).toEqual([
      'NOW (1)',
      '  #  SLUG    STATE  TITLE',
      '  1  search  ready  search',
      '',
      'NEXT (2)',
      '  #  SLUG  STATE         TITLE',
      '  1  cart  ready         cart',
      '  2  auth  Lead/default  auth',
      '',
      'ICEBOX (1)',
      '  #  SLUG   STATE  TITLE',
      '  1  ideas  draft  Ideas',
      '',
    ]);
    const board = await nexus('roadmap', 'reorder', 'now', 'ideas', 'search');
    expect(board.out).toContain('  1  ideas   draft  Ideas\n  2  search  ready  search');
    const { lanes } = JSON.parse((await nexus('roadmap', 'show', '--lane', 'now', '--json')).out) as {
      lanes: { lane: string; features: { slug: string }[] }[];
    };
    expect(lanes.map(({ lane, features }) => [lane, features.map(({ slug }) => slug)])).toEqual([['now', ['ideas', 'search']]]);
  });

  test('says what is wrong, with the exit code for it', async () => {
    expect(await nexus('roadmap', 'move', 'cart')).toMatchObject({ code: 2 });
    expect(await nexus('roadmap', 'reorder', 'soon', 'cart')).toMatchObject({ code: 2 });
    expect(await nexus('roadmap', 'move', 'cart', '--before', 'auth', '--after', 'search')).toMatchObject({ code: 2 });
    expect(await nexus('roadmap', 'promote', 'nothing')).toMatchObject({ code: 5 });
    await lead.createFeature({ projectId, body: { slug: 'old', title: 'Old', spec: '' } });
    await lead.cancelFeature({ projectId, slug: 'old' });
    const refused = await nexus('roadmap', 'reorder', 'next', 'old', 'cart');
    expect([refused.code, refused.err]).toEqual([3, expect.stringContaining('old is cancelled')]);
  });
});
