import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import { join } from 'node:path';
import type { Client } from '@nexus/client';
import { eventually, readyFeature, startServer, type TestServer } from '../../server/test/harness.ts';
import { homeEnv, runHere } from '../src/testing/io.ts';
import { type Agent, append, git, type Machine, makeFolder, makeMachine, makeRepository, write } from './lib/hook-world.ts';

let server: TestServer;
let lead: Client;
let bob: Client;
let projectId: string;
let folder: { dir: string; remove: () => void };
let annRepo: string;
let benRepo: string;
let here: Machine;
let there: Machine;
let ann: Agent;
let ben: Agent;

beforeAll(async () => {
  server = await startServer('embedded', { YIELD_CLEAN_SECONDS: '2', YIELD_REFUSE_SECONDS: '1' });
});
afterAll(() => server.stop());
beforeEach(async () => {
  ({ projectId, lead } = await server.project());
  const other = await server.engineer('Bob');
  await lead.addMember({ projectId, body: { engineerId: other.engineer.id } });
  bob = other;
  folder = makeFolder();
  [annRepo, benRepo] = [join(folder.dir, 'a'), join(folder.dir, 'b')];
  for (const repo of [annRepo, benRepo]) makeRepository(repo, { server: server.url, projectId, slug: 'p' });
  here = makeMachine({ server, client: lead, home: join(folder.dir, 'ann') });
  there = makeMachine({ server, client: bob, home: join(folder.dir, 'bob') });
  [ann, ben] = [here.agent(annRepo), there.agent(benRepo)];
  await Promise.all([ann.start(), ben.start()]);
});
afterEach(() => {
  here.stop();
  there.stop();
  folder.remove();
});

/** The command in an agent's shell. */
const nexus = (agent: Agent, client: Client, cwd: string, ...args: string[]) =>
  runHere(args, {
    cwd,
    env: {
      ...homeEnv(join(folder.dir, 'cli')),
      NEXUS_SERVER_URL: server.url,
      NEXUS_TOKEN: client.options.apiKey ?? '',
      NEXUS_NO_KEEPER: '1',
      NEXUS_SESSION: `claude:${agent.sessionId}`,
    },
  });
/** What the agent is told before its next command, once there is something. */
async function told(agent: Agent): Promise<string> {
  let text = '';
  await eventually('it is told', async () => {
    text = (await agent.bash('true')).before.context ?? '';
    return text !== '';
  });
  return text;
}
const held = async (name: string) =>
  (await lead.listClaims({ projectId })).filter(({ engineerName }) => engineerName === name).map(({ filePath }) => filePath);

test('a denial names the way to ask; the holder is told at its next tool call, and who asked of the answer', async () => {
  await readyFeature(lead, projectId, 'api', ['src/']);
  await bob.pickFeature({ projectId, slug: 'api' }, { session: `claude:${ben.sessionId}` });
  append(benRepo, 'src/b.ts');
  const denied = (await ann.edit('src/a.ts')).deny ?? '';
  expect(denied).toContain('`nexus request src/a.ts`');

  const asked = await nexus(ann, lead, annRepo, 'request', 'src/a.ts', '--reason', 'an import');
  expect([asked.code, asked.out]).toEqual([
    0,
    expect.stringMatching(/asked +src\/a\.ts of Bob .+ who holds src\/: you are told when they answer/),
  ]);
  const heard = await told(ben);
  for (const said of [
    'Lead (claude, session',
    'asks for src/a.ts (held as src/)',
    'an import',
    '`nexus yield src/`',
    '`nexus refuse src/`',
  ])
    expect(heard).toContain(said);
  expect((await ben.bash('true')).before).toEqual({});

  const refused = await nexus(ben, bob, benRepo, 'refuse', 'src/a.ts', '--reason', 'half way');
  expect(refused.out).toContain('Refused src/a.ts to Lead');
  expect(await told(ann)).toMatch(/Bob .+ keeps src\/a\.ts: half way/);

  await nexus(ann, lead, annRepo, 'request', 'src/a.ts');
  expect((await nexus(ann, lead, annRepo, 'request', '--list')).out).toMatch(/src\/a\.ts +Lead\/claude .+ Bob\/claude .+ api +.+ open/);
  // Given back: the wide claim; still claimed: what is uncommitted below it.
  const given = await nexus(ben, bob, benRepo, 'yield', 'src/a.ts');
  expect(given.out).toContain('Gave back src/\n  still claimed: src/b.ts\n  Lead asked for src/a.ts, and is told');
  expect(await held('Bob')).toEqual(['src/b.ts']);
  expect(await told(ann)).toContain('src/a.ts is free now');
  expect((await ann.edit('src/a.ts')).deny).toBeUndefined();
  expect((await ben.edit('src/a.ts')).deny).toContain('src/a.ts is claimed by Lead');
});

test('two that ask each other: the younger session is told to give back', async () => {
  await ann.edit('src/a.ts');
  await ben.edit('src/b.ts');
  await nexus(ann, lead, annRepo, 'request', 'src/b.ts');
  const mutual = await nexus(ben, bob, benRepo, 'request', 'src/a.ts');
  const [first] = await lead.listRequests({ projectId });
  const isBen = first?.givesBack === first?.holder.sessionId;
  expect(mutual.out).toContain(isBen ? 'yours is the younger session' : 'they ask you too, and give back first');
  const [younger, client, repo, path] = isBen ? ([ben, bob, benRepo, 'src/b.ts'] as const) : ([ann, lead, annRepo, 'src/a.ts'] as const);
  await eventually('it knows', async () => ((await younger.bash('true')).before.context ?? '').includes('this session is the younger'));
  expect((await nexus(younger, client, repo, 'refuse', path)).err).toContain('this session is the younger');
  expect((await nexus(younger, client, repo, 'yield', path)).out).toContain(`Gave back ${path}`);
});

test('what nobody has touched for long yields by itself, and what is uncommitted does not', async () => {
  for (const path of ['src/a.ts', 'src/b.ts']) await ben.edit(path);
  append(benRepo, 'src/b.ts');
  await Bun.sleep(2500);
  await nexus(ann, lead, annRepo, 'request', 'src/a.ts', 'src/b.ts');
  await eventually('the clean one is given back', async () => (await held('Bob')).join() === 'src/b.ts');
  await eventually('both are told', async () => {
    const [mine, theirs] = await Promise.all([ann.bash('true'), ben.bash('true')]);
    return [mine, theirs].some(({ before }) => before.context?.includes('src/a.ts') ?? false);
  });
  git(benRepo, 'commit', '-qam', 'done');
  await eventually('committed, the other one as well', async () => (await held('Bob')).length === 0);
});

test('there is nothing to ask for what is free, and nothing to answer where nobody asked', async () => {
  write(annRepo, 'free.ts');
  expect((await nexus(ann, lead, annRepo, 'request', 'free.ts')).out).toContain('free      free.ts');
  expect((await nexus(ann, lead, annRepo, 'refuse', 'free.ts')).out).toContain('Nobody asks for that.');
  expect((await nexus(ann, lead, annRepo, 'yield', 'free.ts')).out).toContain('This session holds nothing there.');
  expect((await nexus(ann, lead, annRepo, 'request')).code).toBe(2);
  expect((await nexus(ann, lead, annRepo, 'request', '--list', '--json')).out).toBe('[]\n');
});
