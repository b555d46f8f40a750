import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import type { Feature } from '@nexus/contract';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { readyFeature, startServer, type TestServer } from '../../server/test/harness.ts';
import { homeEnv, type Ran, runHere } from '../src/testing/io.ts';
import { append, git, makeFolder, makeRepository, write } from './lib/hook-world.ts';

let server: TestServer;
let lead: Client;
let projectId: string;
let folder: { dir: string; remove: () => void };
let repo: string;

beforeAll(async () => {
  server = await startServer('embedded', { REGISTRATION: 'open' });
});
afterAll(() => server.stop());
beforeEach(async () => {
  ({ projectId, lead } = await server.project());
  folder = makeFolder();
  repo = join(folder.dir, 'repo');
  makeRepository(repo, { server: server.url, projectId, slug: 'p' });
  await readyFeature(lead, projectId, 'api', ['src/']);
});
afterEach(() => folder.remove());

const nexusIn = (cwd: string, ...args: string[]): Promise<Ran> =>
  runHere(args, {
    cwd,
    env: {
      ...homeEnv(join(folder.dir, 'ann')),
      NEXUS_TOKEN: lead.options.apiKey ?? '',
      NEXUS_SERVER_URL: server.url,
      NEXUS_AGENT: 'test',
      NEXUS_AGENT_SESSION: 't',
      NEXUS_NO_KEEPER: '1',
    },
  });
const nexus = (...args: string[]) => nexusIn(repo, ...args);
const commitAll = (dir: string, message: string) => {
  git(dir, 'add', '-A');
  git(dir, 'commit', '-qm', message);
};
const undeclaredBy = async (dir = repo): Promise<string[]> => {
  const { out } = await nexusIn(dir, 'feature', 'done', '--json');
  return ((JSON.parse(out) as Feature).undeclared ?? []).map(({ path }) => path);
};

test('done tells what was written since the pick and never declared: uncommitted, committed, and both names of a rename', async () => {
  write(repo, 'old.txt', 'a file long enough to be seen as renamed\n');
  write(repo, 'left.txt', 'x');
  commitAll(repo, 'before');
  append(repo, 'left.txt');
  await nexus('feature', 'pick', 'api');
  append(repo, 'src/a.ts');
  renameSync(join(repo, 'old.txt'), join(repo, 'new.txt'));
  write(repo, 'ro:odd', 'x');
  commitAll(join(repo), 'work');
  git(repo, 'reset', '-q', '--soft', 'HEAD~1');
  git(repo, 'restore', '--staged', 'left.txt');
  git(repo, 'commit', '-qm', 'work');
  write(repo, 'fresh.txt', 'x');
  write(repo, 'dist/ignored.js', 'x');
  const { out, err, code } = await nexus('feature', 'done');
  expect({ out, code }).toEqual({ out: 'Done: api\n', code: 0 });
  expect(err).toContain('4 of the written paths were never declared');
  expect((await lead.history({ projectId })).items[0]?.written).toEqual({
    count: 5,
    undeclared: ['fresh.txt', 'new.txt', 'old.txt', './ro:odd'],
    unwritten: [],
    explanation: null,
  });
});

test('what a pull brought is others’ work, and what a rebase moved is one’s own', async () => {
  const origin = join(folder.dir, 'origin.git');
  git(repo, 'clone', '-q', '--bare', '.', origin);
  git(repo, 'remote', 'add', 'origin', origin);
  git(repo, 'fetch', '-q', 'origin');
  const branch = git(repo, 'symbolic-ref', '--short', 'HEAD').trim();
  const other = join(folder.dir, 'other');
  git(folder.dir, 'clone', '-q', origin, other);
  git(other, 'config', 'user.email', 'bob@example.org');
  git(other, 'config', 'user.name', 'Bob');
  await nexus('feature', 'pick', 'api');
  write(other, 'theirs.txt', 'x');
  commitAll(other, 'theirs');
  git(other, 'push', '-q', 'origin', branch);
  write(repo, 'mine.txt', 'x');
  append(repo, 'src/a.ts');
  commitAll(repo, 'mine');
  git(repo, 'pull', '-q', '--rebase', 'origin', branch);
  git(repo, 'push', '-q', 'origin', branch);
  expect(await undeclaredBy()).toEqual(['mine.txt']);
});

test('a linked worktree tells its own, by names below its own top', async () => {
  const linked = join(folder.dir, 'linked');
  git(repo, 'worktree', 'add', '-q', '-b', 'side', linked);
  await nexusIn(join(linked, 'src'), 'feature', 'pick', 'api');
  write(repo, 'elsewhere.txt', 'x');
  write(linked, 'docs/here.md', 'x');
  append(linked, 'src/a.ts');
  expect(await undeclaredBy(join(linked, 'src'))).toEqual(['docs/here.md']);
});

test('a project that refuses says which, until they are claimed or explained', async () => {
  expect((await nexus('project', 'policy', '--undeclared', 'refuse')).out).toContain('writes   refuse');
  await nexus('feature', 'pick', 'api');
  for (const path of ['one.txt', 'two.txt']) write(repo, path, 'x');
  const refused = await nexus('feature', 'done');
  expect(refused).toMatchObject({ code: 3, out: '' });
  expect(refused.err).toContain('one.txt: held by nobody');
  expect(refused.err).toContain('nexus claims add');
  expect((await nexus('feature', 'pick', 'api')).code).toBe(0);
  expect((await nexus('claim', 'add', 'one.txt')).code).toBe(0);
  expect((await nexus('feature', 'done')).err).toContain('two.txt: held by nobody');
  expect((await nexus('feature', 'done', '--explain', 'scratch notes')).code).toBe(0);
  expect((await nexus('why', 'two.txt')).out).toContain('undeclared: scratch notes');
  expect((await nexus('claims', 'history')).out).toContain('2, 1 undeclared, 1 unwritten');
  expect((await nexus('stats')).out).toContain('2 in 1 features done; 1 undeclared (in 1), 1 declared and not written');
});
