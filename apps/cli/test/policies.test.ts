import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { join } from 'node:path';
import { eventually, readyFeature, startServer, terminal, type TestServer } from '../../server/test/harness.ts';
import { fitting } from '../src/keeper/survey.ts';
import { homeEnv, type Ran, runHere } from '../src/testing/io.ts';
import { append, git, type Machine, makeFolder, makeMachine, makeRepository, write } from './lib/hook-world.ts';

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
const nexus = (terminal: string, ...args: string[]): Promise<Ran> => nexusOf(lead, repo, terminal, ...args);
const nexusOf = (who: Client, cwd: string, terminal: string, ...args: string[]): Promise<Ran> =>
  runHere(args, {
    cwd,
    env: {
      ...homeEnv(join(folder.dir, 'ann')),
      NEXUS_TOKEN: who.options.apiKey ?? '',
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

describe('who never asks', () => {
  test('is seen by the keeper of another session in the same worktree: what is uncommitted there and claimed by nobody', async () => {
    await lead.updateProject({ projectId, body: { policy: { derived: ['gen/'] } } });
    const ann = here.agent(repo);
    await ann.edit('src/a.ts');
    append(repo, 'src/a.ts');
    append(repo, 'src/b.ts');
    for (const path of ['gen/x.ts', 'dist/y.js', 'new.txt']) write(repo, path, 'x');
    const seen = async () => (await lead.status({ projectId })).unattended;
    await eventually('it is reported', async () => (await seen()).length === 1);
    expect(await seen()).toMatchObject([{ worktree: repo, engineerName: 'Lead', paths: ['src/b.ts', 'new.txt'], more: false }]);
    expect((await nexus('t', 'status')).out).toContain('Unattended: uncommitted, and claimed by nobody');
    // Whoever claims it attends to it, at once; a guard refuses the commit of what somebody else holds.
    await bob.claim({ projectId, body: { paths: ['src/b.ts'] } });
    expect(await seen()).toMatchObject([{ paths: ['new.txt'] }]);
    git(repo, 'add', 'src/b.ts');
    expect(await nexus('t', 'verify', '--staged')).toMatchObject({ code: 3 });
    expect((await nexus('t', 'git-hook', 'pre-commit')).err).toContain('changes what somebody else holds');
    git(repo, 'restore', '--staged', 'src/b.ts');
    git(repo, 'clean', '-qfd', 'new.txt');
    await eventually('it is gone', async () => (await seen()).length === 0);
  });

  test('is seen where nobody holds anything, and a report never outgrows a beat', async () => {
    const ann = here.agent(repo);
    await ann.start();
    append(repo, 'src/c.ts');
    await eventually('it is reported', async () => (await lead.status({ projectId })).unattended[0]?.paths[0] === 'src/c.ts');
    const report = { session: 's', paths: Array.from({ length: 500 }, (_, n) => `${'p'.repeat(1000)}${n}`), more: false };
    const fit = fitting([report, { ...report, paths: ['a'] }]);
    expect(fit).toHaveLength(1);
    expect(fit[0]).toMatchObject({ more: true });
    expect(JSON.stringify(fit).length).toBeLessThan(100_000);
    expect(
      fitting([
        { ...report, paths: ['a'] },
        { ...report, paths: ['b'] },
      ]),
    ).toHaveLength(2);
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

describe('what somebody finished', () => {
  /** Bob takes a feature in a clone of his own, commits and is done. Answers the clone. */
  async function finish(slug: string, paths: string[]): Promise<string> {
    const clone = join(folder.dir, `bob-${slug}`);
    git(folder.dir, 'clone', '-q', repo, clone);
    await readyFeature(lead, projectId, slug, paths);
    expect((await nexusOf(bob, clone, slug, 'feature', 'pick', slug)).err).not.toContain('pull first');
    for (const path of paths) append(clone, path, `${slug}\n`);
    git(clone, 'commit', '-qam', slug);
    expect((await nexusOf(bob, clone, slug, 'feature', 'done')).code).toBe(0);
    return clone;
  }
  const commitIn = (dir: string): string => git(dir, 'rev-parse', 'HEAD').trim().slice(0, 10);

  test('keeps its paths until it lands, where the project wants that: whoever meets it looks whether it has', async () => {
    expect((await nexus('t', 'project', 'policy', '--landing', 'on')).out).toContain('landing  on');
    const clone = await finish('api', ['src/a.ts']);
    await readyFeature(lead, projectId, 'more', ['src/a.ts']);
    const line = `done, and held until ${commitIn(clone)} is on the default branch: \`nexus feature landed api\``;
    expect((await nexus('t', 'feature', 'pick', 'more')).err).toContain(line);
    expect((await nexus('t', 'status')).out).toMatch(new RegExp(`Done, and held until it lands\\n[^\\n]+\\napi +Bob +${commitIn(clone)}`));
    const ann = here.agent(repo);
    expect((await ann.edit('src/a.ts')).deny).toContain(line);
    expect((await nexus('t', 'feature', 'landed')).err).toContain('Nothing that waits to land');
    git(repo, 'pull', '-q', clone, 'main');
    expect(await ann.edit('src/a.ts')).toEqual({});
    expect((await nexus('t', 'status')).out).not.toContain('held until it lands');

    await finish('docs', ['docs/x.md']);
    await readyFeature(lead, projectId, 'manual', ['docs/']);
    git(repo, 'pull', '-q', join(folder.dir, 'bob-docs'), 'main');
    expect((await nexus('u', 'feature', 'pick', 'manual')).out).toContain('Picked manual');
  });

  test('does not keep its own commit from landing, and CI frees it afterwards', async () => {
    await nexus('t', 'project', 'policy', '--landing', 'on');
    const clone = await finish('api', ['src/a.ts']);
    const base = git(repo, 'rev-parse', 'HEAD').trim();
    // Another session, as CI is one: the commit that has to land passes, another one of the same path does not.
    expect((await nexusOf(lead, clone, 'ci', 'verify', '--base', base)).code).toBe(0);
    append(repo, 'src/a.ts', 'other');
    git(repo, 'commit', '-qam', 'other');
    expect((await nexus('ci', 'verify', '--base', base)).code).toBe(3);
    git(repo, 'reset', '-q', '--hard', base);
    git(repo, 'pull', '-q', clone, 'main');
    expect((await nexus('ci', 'verify', '--base', base)).code).toBe(0);
    expect(await lead.listClaims({ projectId })).toEqual([]);
  });

  test('is to be pulled first: the guard says so once, and lets the edit through', async () => {
    const clone = await finish('api', ['src/a.ts']);
    const ann = here.agent(repo);
    const told = await ann.edit('src/a.ts');
    expect(told).toEqual({
      context: `Nexus: pull first: src/a.ts was finished in ${commitIn(clone)} by Bob (test, feature api), which this checkout lacks.`,
    });
    await ann.bash('nexus claims release');
    await lead.releaseClaims({ projectId }, { session: `claude:${ann.sessionId}` });
    expect(await ann.edit('src/a.ts')).toEqual({});
    expect(await ann.edit('src/b.ts')).toEqual({});
  });

  test('is told by pick and check, until it is pulled', async () => {
    const clone = await finish('api', ['src/a.ts']);
    await readyFeature(lead, projectId, 'more', ['src/']);
    const line = `pull first: src/a.ts was finished in ${commitIn(clone)} by Bob (test, feature api)`;
    expect((await nexus('t', 'feature', 'pick', 'more')).err).toContain(line);
    expect((await nexus('t', 'claims', 'check', 'src/a.ts')).out).toContain(line);
    git(repo, 'pull', '-q', clone, 'main');
    expect((await nexus('t', 'claims', 'check', 'src/a.ts')).out).not.toContain('pull first');
    expect(JSON.parse((await nexus('t', 'feature', 'pick', 'more', '--json')).out)).toMatchObject({ finished: [] });
  });

  test('is here under another name once it was squashed, and nothing when it changed nothing', async () => {
    const clone = await finish('api', ['src/a.ts']);
    git(repo, 'fetch', '-q', clone, 'main');
    git(repo, 'merge', '-q', '--squash', 'FETCH_HEAD');
    git(repo, 'commit', '-qm', 'squashed');
    append(repo, 'src/a.ts', 'later');
    git(repo, 'commit', '-qam', 'later');
    const ann = here.agent(repo);
    expect(await ann.edit('src/a.ts')).toEqual({});
    await readyFeature(lead, projectId, 'idle', ['docs/']);
    git(clone, 'commit', '-q', '--allow-empty', '-m', 'elsewhere');
    await nexusOf(bob, clone, 'idle', 'feature', 'pick', 'idle');
    await nexusOf(bob, clone, 'idle', 'feature', 'release', 'idle');
    expect(await ann.edit('docs/x.md')).toEqual({});
  });
});

describe('a refactor of more than a fifth of the tracked files', () => {
  test('that is refused is queued: holders finish, overlapping picks wait, and it is granted when they are done', async () => {
    for (let file = 0; file < 10; file += 1) write(repo, `lib/${file}.ts`, 'x');
    git(repo, 'add', 'lib');
    await readyFeature(lead, projectId, 'small', ['lib/1.ts']);
    await readyFeature(lead, projectId, 'next', ['lib/2.ts', 'docs/']);
    await readyFeature(lead, projectId, 'sweep', ['lib/', 'src/']);
    await readyFeature(lead, projectId, 'modest', ['lib/1.ts', 'lib/3.ts']);
    const holder = await terminal(bob, projectId);
    await holder.pickFeature({ projectId, slug: 'small' });
    // Two of sixteen files: refused as ever.
    expect((await nexus('m', 'feature', 'pick', 'modest')).err).toContain('lib/1.ts is held by Bob');
    const queued = await nexus('t', 'feature', 'pick', 'sweep');
    expect(queued.code).toBe(3);
    expect(queued.err).toContain('sweep covers 13 of 16 tracked files, so it is queued');
    expect((await nexus('o', 'feature', 'pick', 'next')).err).toContain('waited for overlapping paths before you');
    await holder.claim({ projectId, body: { paths: ['lib/4.ts'], featureSlug: 'small' } });
    await holder.doneFeature({ projectId, slug: 'small' });
    await eventually('it is granted', async () => (await lead.getFeature({ projectId, slug: 'sweep' })).status === 'active');
    expect((await nexus('t', 'feature', 'pick', 'sweep')).out).toContain('Picked sweep');
  });
});
