import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { join } from 'node:path';
import { eventually, readyFeature, startServer, type TestServer } from '../../server/test/harness.ts';
import { homeEnv, type Ran, runHere } from '../src/testing/io.ts';
import { append, type Machine, makeFolder, makeMachine, makeRepository } from './lib/hook-world.ts';

let server: TestServer;
let lead: Client;
let bob: Client;
let projectId: string;
let folder: { dir: string; remove: () => void };
let repo: string;
let here: Machine;

beforeAll(async () => {
  server = await startServer('embedded', { REGISTRATION: 'open' });
});
afterAll(() => server.stop());
beforeEach(async () => {
  ({ projectId, lead } = await server.project());
  const other = await server.engineer('Bob');
  await lead.addMember({ projectId, body: { engineerId: other.engineer.id } });
  bob = other;
  folder = makeFolder();
  repo = join(folder.dir, 'repo');
  makeRepository(repo, { server: server.url, projectId, slug: 'p' });
  here = makeMachine({ server, client: lead, home: join(folder.dir, 'ann') });
});
afterEach(() => {
  here.stop();
  folder.remove();
});

/** The `nexus` command of a terminal in this checkout. */
const nexus = (terminal: string, ...args: string[]): Promise<Ran> =>
  runHere(args, {
    cwd: repo,
    env: {
      ...homeEnv(join(folder.dir, 'ann')),
      NEXUS_TOKEN: lead.options.apiKey ?? '',
      NEXUS_AGENT: 'test',
      NEXUS_AGENT_SESSION: terminal,
      NEXUS_NO_KEEPER: '1',
    },
  });

describe('status', () => {
  test('tells how many of a hundred edits were denied', async () => {
    const ann = here.agent(repo);
    await bob.claim({ projectId, body: { paths: ['src/b.ts'] } });
    for (const path of ['src/a.ts', 'src/a.ts', 'src/b.ts', 'src/c.ts']) await ann.edit(path);
    await eventually('the counts are known', async () => (await lead.status({ projectId })).edits.tried === 4);
    expect((await nexus('t', 'status')).out).toContain('Edits of these sessions: 4, of them denied 1 (25.0 per 100)');
  });
});

describe('a terminal that ends its session', () => {
  test('leaves parked what is not committed, and gives back the rest', async () => {
    await readyFeature(lead, projectId, 'api', ['src/']);
    await readyFeature(lead, projectId, 'docs', ['docs/']);
    for (const slug of ['api', 'docs']) expect((await nexus('t', 'feature', 'pick', slug)).code).toBe(0);
    append(repo, 'src/a.ts');
    expect((await nexus('t', 'session', 'end')).out).toContain('parked api');
    expect(await lead.getFeature({ projectId, slug: 'api' })).toMatchObject({ status: 'active', heldBy: { parked: true } });
    expect(await lead.getFeature({ projectId, slug: 'docs' })).toMatchObject({ status: 'ready' });
  });
});
