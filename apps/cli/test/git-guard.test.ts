import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@nexus/client';
import { readyFeature, startServer, terminal, type TestServer } from '../../server/test/harness.ts';
import { type Checkout, type Done, makeCheckout } from './lib/checkout.ts';

let server: TestServer;
let lead: Client;
let ann: Client & { sessionId: string };
let bob: Client & { sessionId: string };
let projectId: string;
let here: Checkout;

beforeAll(async () => {
  server = await startServer('embedded', { REGISTRATION: 'open' });
});
afterAll(() => server.stop());
beforeEach(async () => {
  ({ projectId, lead } = await server.project());
  const other = await server.engineer('Bob');
  await lead.addMember({ projectId, body: { engineerId: other.engineer.id } });
  ann = await terminal(lead, projectId);
  bob = await terminal(other, projectId);
  here = await makeCheckout({ NEXUS_SERVER_URL: server.url, NEXUS_TOKEN: lead.options.apiKey ?? '', NEXUS_SESSION: ann.sessionId });
  here.write('.nexus.json', JSON.stringify({ server: server.url, projectId, slug: 'p' }));
  await here.git('add', '.nexus.json');
  await here.git('commit', '-q', '-m', 'start');
  expect(await here.nexus('install', 'git')).toMatchObject({ code: 0 });
});
afterEach(() => here.remove());

const commit = async (path: string, text: string, ...more: string[]): Promise<Done> => {
  here.write(path, text);
  await here.git('add', '-A');
  return here.git('commit', '-m', `Change ${path}`, ...more);
};
const message = async (): Promise<string> => (await here.git('log', '-1', '--format=%B')).out.trim();
const withRemote = async (): Promise<void> => {
  await here.git('init', '-q', '--bare', '../remote.git');
  await here.git('remote', 'add', 'origin', '../remote.git');
  expect(await here.git('push', '-q', 'origin', 'main')).toMatchObject({ code: 0 });
};

describe('a commit', () => {
  test('of a path that another session holds is refused, with its holder and what to do', async () => {
    await readyFeature(lead, projectId, 'login', ['src/a.ts']);
    await bob.pickFeature({ projectId, slug: 'login' });
    const refused = await commit('src/a.ts', '1');
    expect(refused.code).toBe(1);
    for (const said of ['src/a.ts', 'Bob', 'login', 'until', 'git restore --staged -- src/a.ts', 'NEXUS_SKIP=1', '--no-verify'])
      expect(refused.err).toContain(said);
    expect(await message()).toBe('start');
    await here.git('restore', '--staged', '--', 'src/a.ts');
    expect(await here.git('commit', '-m', 'other', '--allow-empty')).toMatchObject({ code: 0 });
  });

  test('that renames or deletes such a path is refused as well', async () => {
    await commit('src/a.ts', 'some text to be found again\n');
    await commit('src/b.ts', 'another text\n');
    await bob.claim({ projectId, body: { paths: ['src/a.ts', 'src/b.ts'] } });
    await here.git('mv', 'src/a.ts', 'src/c.ts');
    await here.git('rm', '-q', 'src/b.ts');
    const refused = await here.git('commit', '-m', 'x');
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('git restore --staged -- src/a.ts src/b.ts');
  });

  test('passes with NEXUS_SKIP or --no-verify', async () => {
    await bob.claim({ projectId, body: { paths: ['src/'] } });
    here.write('src/a.ts', '1');
    await here.git('add', '-A');
    expect((await here.git('commit', '-m', 'x')).code).toBe(1);
    expect((await here.run('git', ['commit', '-m', 'x'], { env: { NEXUS_SKIP: '1' } })).code).toBe(0);
    expect((await commit('src/b.ts', '1', '--no-verify')).code).toBe(0);
  });

  test('of own paths says under which feature and fence it was made, once, also when amended', async () => {
    await readyFeature(lead, projectId, 'login', ['src/']);
    const { fence } = await ann.pickFeature({ projectId, slug: 'login' });
    expect((await commit('src/a.ts', '1')).code).toBe(0);
    const signed = `Change src/a.ts\n\nNexus-Feature: login\nNexus-Fence: ${fence}`;
    expect(await message()).toBe(signed);
    await here.git('commit', '--amend', '--no-edit');
    expect(await message()).toBe(signed);
    expect((await commit('docs/x.md', '1')).code).toBe(0);
    expect(await message()).toBe('Change docs/x.md');
    here.write('src/a.ts', '2');
    await here.git('commit', '-am', 'With one\n\nSigned-off-by: Ann <ann@example.org>');
    expect(await message()).toBe(`With one\n\nSigned-off-by: Ann <ann@example.org>\nNexus-Feature: login\nNexus-Fence: ${fence}`);
  });

  test('without a message is still given up', async () => {
    await ann.claim({ projectId, body: { paths: ['src/'] } });
    here.write('src/a.ts', '1');
    await here.git('add', '-A');
    const empty = await here.run('git', ['commit', '-v'], { env: { GIT_EDITOR: 'true' } });
    expect(empty.code).toBe(1);
    expect(empty.err).toContain('empty commit message');
  });

  test('of some paths only is judged by those, whatever else is staged', async () => {
    await commit('src/a.ts', '1');
    await commit('src/b.ts', '1');
    await bob.claim({ projectId, body: { paths: ['src/a.ts'] } });
    here.write('src/a.ts', '2');
    here.write('src/b.ts', '2');
    await here.git('add', 'src/a.ts');
    expect((await here.git('commit', '-m', 'only b', 'src/b.ts')).code).toBe(0);
    expect((await here.git('commit', '-m', 'only a')).code).toBe(1);
  });

  test('that concludes a merge answers for its own resolutions, not for what the others committed', async () => {
    await commit('both.txt', '1\n');
    await here.git('checkout', '-q', '-b', 'theirs');
    await commit('both.txt', '2\n');
    await commit('theirs.txt', '1\n');
    await here.git('checkout', '-q', 'main');
    await commit('both.txt', '3\n');
    await here.git('merge', 'theirs');
    here.write('both.txt', '4\n');
    await here.git('add', 'both.txt');
    await bob.claim({ projectId, body: { paths: ['theirs.txt'] } });
    expect((await here.git('commit', '--no-edit')).code).toBe(0);
    expect((await here.git('log', '-1', '--format=%P')).out.trim().split(' ')).toHaveLength(2);
  });

  test('in a linked worktree is judged by the same names', async () => {
    await bob.claim({ projectId, body: { paths: ['src/a.ts'] } });
    await here.git('worktree', 'add', '-q', '../linked');
    const cwd = join(here.dir, '..', 'linked');
    await here.run('mkdir', ['src'], { cwd });
    writeFileSync(join(cwd, 'src', 'a.ts'), '1');
    await here.run('git', ['add', '-A'], { cwd });
    expect((await here.run('git', ['commit', '-m', 'x'], { cwd })).code).toBe(1);
  });

  test('of what a subagent of this session claimed is its own', async () => {
    const child = await terminal(lead, projectId, { parentId: ann.sessionId });
    const { fence } = await child.claim({ projectId, body: { paths: ['src/a.ts'] } });
    expect((await commit('src/a.ts', '1')).code).toBe(0);
    expect(await message()).toContain(`Nexus-Fence: ${fence}`);
  });
});

describe('where the server does not answer, or nothing is linked', () => {
  let away: Record<string, string>;
  beforeEach(() => {
    away = { NEXUS_SERVER_URL: 'http://127.0.0.1:9', NEXUS_PROJECT: projectId };
  });

  test('a commit passes with one line of warning; in a strict project it waits', async () => {
    here.write('a', '1');
    await here.git('add', '-A');
    const passed = await here.run('git', ['commit', '-m', 'x'], { env: away });
    expect(passed.code).toBe(0);
    expect(passed.err.split('\n').filter((line) => line.includes('nexus'))).toHaveLength(1);
    await lead.updateProject({ projectId, body: { policy: { edits: 'strict' } } });
    await ann.claim({ projectId, body: { paths: ['b'] } });
    expect((await commit('b', '1')).code).toBe(0);
    here.write('b', '2');
    const waits = await here.run('git', ['commit', '-am', 'x'], { env: away });
    expect(waits.code).toBe(1);
    expect(waits.err).toContain('strict');
  });

  test('a strict project refuses what nobody claimed, and says how to claim it', async () => {
    await lead.updateProject({ projectId, body: { policy: { edits: 'strict' } } });
    const refused = await commit("it's.ts", '1');
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("nexus claims add 'it'\\''s.ts'");
  });

  test('an unlinked repository and a machine without nexus are left in peace', async () => {
    await here.git('rm', '-q', '.nexus.json');
    const unlinked = await here.git('commit', '-m', 'x');
    expect(unlinked).toMatchObject({ code: 0 });
    expect(unlinked.err).toBe('');
    here.write('a', '1');
    await here.git('add', '-A');
    expect(await here.run('git', ['commit', '-qm', 'x'], { env: { PATH: '/usr/bin:/bin' } })).toEqual({ code: 0, out: '', err: '' });
  });
});

describe('a push', () => {
  test('of commits under a fence that is open, or was released, passes; under a stale one it is refused', async () => {
    await withRemote();
    await readyFeature(lead, projectId, 'login', ['src/a.ts']);
    const { fence } = await ann.pickFeature({ projectId, slug: 'login' });
    await commit('src/a.ts', '1');
    // Another terminal pushes what the holder committed.
    const other = { env: { NEXUS_SESSION: bob.sessionId, NEXUS_TOKEN: bob.options.apiKey ?? '' } };
    expect((await here.run('git', ['push', '-q', 'origin', 'main:open'], other)).code).toBe(0);
    await commit('src/a.ts', '2');
    await lead.forceReleaseFeature({ projectId, slug: 'login', body: { fence: fence ?? 0, reason: 'x' } });
    const nobody = await here.git('push', 'origin', 'main');
    expect(nobody.code).toBe(1);
    expect(nobody.err).toContain('nexus feature resume login');
    await bob.pickFeature({ projectId, slug: 'login' });
    const stale = await here.git('push', 'origin', 'main');
    expect(stale.code).toBe(1);
    for (const said of [`fence ${fence}`, 'stale', 'Bob', 'src/a.ts']) expect(stale.err).toContain(said);
    await bob.releaseFeature({ projectId, slug: 'login' });
    await ann.pickFeature({ projectId, slug: 'login' });
    expect((await here.git('push', '-q', 'origin', 'main')).code).toBe(0);
  });

  test('of work that was done before somebody else took the path passes', async () => {
    await withRemote();
    await readyFeature(lead, projectId, 'login', ['src/a.ts']);
    await ann.pickFeature({ projectId, slug: 'login' });
    await commit('src/a.ts', '1');
    await ann.doneFeature({ projectId, slug: 'login' });
    await bob.claim({ projectId, body: { paths: ['src/a.ts'] } });
    expect((await here.git('push', '-q', 'origin', 'main')).code).toBe(0);
  });

  test('of a path that was committed around the guard is refused', async () => {
    await withRemote();
    await bob.claim({ projectId, body: { paths: ['src/a.ts'] } });
    await commit('src/a.ts', '1', '--no-verify');
    expect((await here.git('push', 'origin', 'main')).code).toBe(1);
    expect((await here.run('git', ['push', '-q', 'origin', 'main'], { env: { NEXUS_SKIP: '1' } })).code).toBe(0);
    expect((await here.git('push', '-q', 'origin', '--delete', 'main')).code).not.toBe(128);
  });
});

describe('nexus verify', () => {
  test('tells ours, theirs and unclaimed, and exits with 3 when somebody else holds one', async () => {
    await ann.claim({ projectId, body: { paths: ['own.ts'] } });
    await bob.claim({ projectId, body: { paths: ['foreign.ts'] } });
    for (const path of ['own.ts', 'foreign.ts', 'free.ts']) here.write(path, '1');
    const all = await here.nexus('verify', '--json');
    expect(all.code).toBe(3);
    expect(JSON.parse(all.out)).toMatchObject({
      ours: ['own.ts'],
      unclaimed: ['free.ts'],
      theirs: [{ filePath: 'foreign.ts' }],
      stale: [],
    });
    await here.git('add', 'own.ts');
    expect(await here.nexus('verify', '--staged')).toMatchObject({ code: 0, out: 'ours (1)\n  own.ts\n' });
    expect((await here.nexus('verify', 'foreign.ts')).out).toContain('Bob');
  });

  test('of a branch takes the fences of its commits into account', async () => {
    await here.git('checkout', '-q', '-b', 'work');
    await readyFeature(lead, projectId, 'login', ['src/a.ts']);
    const { fence } = await ann.pickFeature({ projectId, slug: 'login' });
    await commit('src/a.ts', '1');
    const ci = { env: { NEXUS_SESSION: '', NEXUS_AGENT: 'ci', NEXUS_AGENT_SESSION: 'run-1' } };
    expect((await here.run('nexus', ['verify', '--base', 'main'], ci)).code).toBe(0);
    await lead.forceReleaseFeature({ projectId, slug: 'login', body: { fence: fence ?? 0, reason: 'x' } });
    const stale = await here.run('nexus', ['verify', '--base', 'main', '--json'], ci);
    expect(stale.code).toBe(3);
    expect(JSON.parse(stale.out)).toMatchObject({ stale: [{ state: 'stale', featureSlug: 'login' }] });
  });
});

test('what is held for short is given back at the commit, unless it is changed again', async () => {
  await lead.updateProject({ projectId, body: { policy: { brief: ['bun.lock', 'package.json'] } } });
  await ann.claim({ projectId, body: { paths: ['bun.lock', 'package.json', 'src/a.ts'] } });
  here.write('bun.lock', '1');
  here.write('package.json', '1');
  await here.git('add', '-A');
  here.write('package.json', '2');
  expect((await here.git('commit', '-m', 'x')).code).toBe(0);
  const left = (await ann.myClaims({ projectId })).map(({ filePath }) => filePath);
  expect(left.sort()).toEqual(['package.json', 'src/a.ts']);
});
