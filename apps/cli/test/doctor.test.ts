import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@nexus/client';
import { startServer, type TestServer } from '../../server/test/harness.ts';
import { type Checkout, makeCheckout, program } from './lib/checkout.ts';
import { layOut } from './lib/hook-managers.ts';

type Report = { ok: boolean; findings: { check: string; state: string; says: string; remedy?: string }[] };

let server: TestServer;
let lead: Client;
let projectId: string;
let here: Checkout;
beforeAll(async () => {
  server = await startServer('embedded', { REGISTRATION: 'open' });
});
afterAll(() => server.stop());
beforeEach(async () => {
  ({ projectId, lead } = await server.project());
  here = await makeCheckout();
});
afterEach(() => here.remove());

const examine = async (): Promise<{ code: number; find: (check: string) => Report['findings'][number] | undefined; report: Report }> => {
  const { code, out } = await here.nexus('doctor', '--json');
  const report = JSON.parse(out) as Report;
  return { code, report, find: (check) => report.findings.find((finding) => finding.check === check) };
};
const setUp = async (): Promise<void> => {
  here.write('.nexus.json', JSON.stringify({ server: server.url, projectId, slug: 'p' }));
  await here.run('nexus', ['login', '--server', server.url, '--token', '-'], { stdin: lead.options.apiKey ?? '' });
};

test('a repository that is set up is all well, and looking at it opens no session', async () => {
  await setUp();
  await here.nexus('install', 'git');
  await here.nexus('install', 'claude');
  const { code, report, find } = await examine();
  expect(report.findings.filter(({ state }) => state === 'wrong')).toEqual([]);
  expect([code, report.ok]).toEqual([0, true]);
  for (const check of [
    'program',
    'runtime',
    'key file',
    'login',
    'worktree',
    'project',
    'membership',
    'git hooks',
    'Claude Code',
    'leftovers',
    'hook',
  ])
    expect(find(check)).toMatchObject({ check, state: 'ok' });
  expect(find('hook')?.says).toMatch(/^`nexus hook claude` answered in \d+ ms, from http:.*, edits: claim$/);
  expect(await lead.activeSessions({ projectId })).toEqual([]);
});

test('a repository where nothing is set up is told what to do, line by line', async () => {
  const { code, out } = await here.nexus('doctor');
  expect(code).toBe(1);
  expect(out).toMatch(/✗ server .*does not answer\n +→ .*nexus up/);
  expect(out).toMatch(/✗ project .*\n +→ `nexus setup`/);
  expect(out).toMatch(/! git hooks .*\n +→ `nexus install git`/);
  expect(out).toMatch(/! Claude Code .*\n +→ `nexus install claude`/);
});

test('open keys, half-installed hooks, double hooks and a stranger are found', async () => {
  await setUp();
  const key = join(here.env['NEXUS_CONFIG_DIR'] ?? '', 'credentials.json');
  chmodSync(key, 0o644);
  await here.nexus('install', 'git');
  writeFileSync(join(here.dir, '.git/hooks/pre-push'), '#!/bin/sh\n');
  await here.nexus('install', 'claude');
  await here.nexus('install', 'claude', '--scope', 'user');
  mkdirSync(join(here.env['HOME'] ?? '', '.nexus'));
  writeFileSync(join(here.env['HOME'] ?? '', '.nexus', 'config.json'), '{}');
  const first = await examine();
  expect(first.code).toBe(1);
  expect(first.find('key file')).toMatchObject({ state: 'wrong', remedy: `chmod 600 ${key}` });
  expect(first.find('git hooks')).toMatchObject({ state: 'wrong', says: expect.stringContaining('pre-push') as string });
  expect(first.find('Claude Code')).toMatchObject({ state: 'wrong', says: expect.stringContaining('twice') as string });
  expect(first.find('leftovers')).toMatchObject({ state: 'note' });

  await here.nexus('install', 'git');
  chmodSync(join(here.dir, '.git/hooks/pre-commit'), 0o644);
  const { engineer: _who, ...stranger } = await server.engineer('Eve');
  await here.run('nexus', ['logout'], {});
  await here.run('nexus', ['login', '--server', server.url, '--token', '-'], { stdin: stranger.options.apiKey ?? '' });
  here.write('.claude/settings.json', '{');
  const second = await examine();
  expect(second.find('key file')?.state).toBe('ok');
  expect(second.find('git hooks')).toMatchObject({
    says: expect.stringContaining('pre-commit') as string,
    remedy: expect.stringContaining('chmod +x') as string,
  });
  expect(second.find('membership')?.state).toBe('wrong');
  expect(second.find('Claude Code')).toMatchObject({ state: 'wrong', says: expect.stringContaining('cannot be edited') as string });
});

describe('what Claude Code would run', () => {
  const config = (): string => join(here.env['HOME'] ?? '', '.claude');
  const enable = (copies: object[]): void => {
    mkdirSync(join(config(), 'plugins'), { recursive: true });
    writeFileSync(join(config(), 'settings.json'), JSON.stringify({ enabledPlugins: { 'nexus@nexus': true } }));
    writeFileSync(join(config(), 'plugins', 'installed_plugins.json'), JSON.stringify({ version: 2, plugins: { 'nexus@nexus': copies } }));
  };
  const installPath = join(import.meta.dirname, '../../../plugins/nexus');
  const claude = async () => (await examine()).find('Claude Code');

  test('by the plugin is as good as by settings; by both, it says so and how to keep one', async () => {
    enable([{ scope: 'user', installPath }]);
    expect(await claude()).toMatchObject({ state: 'ok', says: 'every hook once, in the plugin nexus@nexus' });
    expect((await here.nexus('install', 'claude')).err).toContain('The plugin nexus@nexus has hooks of Nexus as well');
    expect(await claude()).toEqual({
      check: 'Claude Code',
      state: 'wrong',
      says: `each event runs twice, by ${join(here.dir, '.claude/settings.json')} and the plugin nexus@nexus`,
      remedy: 'keep one: `nexus uninstall claude`, or `claude plugin disable nexus@nexus`',
    });
    here.write('.claude/settings.local.json', JSON.stringify({ enabledPlugins: { 'nexus@nexus': false } }));
    expect(await claude()).toMatchObject({ state: 'ok', says: expect.stringContaining('settings.json') as string });
  });

  test('is nothing where the plugin is enabled but not installed, or for another project only', async () => {
    for (const copies of [[], [{ scope: 'project', installPath, projectPath: '/elsewhere' }]]) {
      enable(copies);
      expect(await claude()).toMatchObject({ state: 'wrong', remedy: '`claude plugin install nexus@nexus`' });
    }
  });

  test('is nothing where hooks are switched off, or the folder is not trusted', async () => {
    await here.nexus('install', 'claude');
    mkdirSync(here.env['HOME'] ?? '', { recursive: true });
    writeFileSync(join(here.env['HOME'] ?? '', '.claude.json'), JSON.stringify({ projects: {} }));
    expect(await claude()).toMatchObject({ state: 'note', says: expect.stringContaining('waits for your trust') as string });
    const trusted = { [here.dir]: { hasTrustDialogAccepted: true } };
    writeFileSync(join(here.env['HOME'] ?? '', '.claude.json'), JSON.stringify({ projects: trusted }));
    expect(await claude()).toMatchObject({ state: 'ok' });
    here.write('.claude/settings.local.json', '{ "disableAllHooks": true }');
    expect(await claude()).toMatchObject({ state: 'wrong', says: expect.stringContaining('disableAllHooks') as string });
  });

  test('is told where somebody changed it', async () => {
    await here.nexus('install', 'claude');
    here.write('.claude/settings.json', here.read('.claude/settings.json').replaceAll('|Bash|PowerShell', ''));
    expect(await claude()).toMatchObject({ state: 'note', remedy: '`nexus install claude` again' });
  });
});

test('a hook that does not come as far as the server is found, whatever its exit code', async () => {
  await setUp();
  await here.nexus('install', 'claude');
  const settings = here.read('.claude/settings.json');
  here.write('.claude/settings.json', settings.replaceAll('"nexus"', JSON.stringify(join(here.dir, '../mute/nexus'))));
  mkdirSync(join(here.dir, '../mute'));
  program(join(here.dir, '../mute/nexus'), '#!/bin/sh\nexit 0\n');
  expect((await examine()).find('hook')).toMatchObject({ state: 'wrong', says: expect.stringContaining('found no project') as string });
  here.write('.claude/settings.json', settings);
  here.env['NEXUS_SERVER_URL'] = 'http://127.0.0.1:9';
  here.env['NEXUS_TOKEN'] = 'nxp_x';
  here.env['NEXUS_PROJECT'] = projectId;
  expect((await examine()).find('hook')).toMatchObject({ state: 'wrong', says: expect.stringContaining('got no answer') as string });
});

test('hooks that git never comes to are found: husky or lefthook is not set up in this checkout', async () => {
  here.write('lefthook.yml', '');
  await here.nexus('install', 'git');
  expect((await examine()).find('git hooks')).toMatchObject({ state: 'wrong', remedy: '`lefthook install`' });
  layOut(here, 'lefthook');
  expect((await examine()).find('git hooks')?.state).toBe('ok');
  await here.git('config', 'core.hooksPath', '.husky/_');
  await here.nexus('install', 'git');
  expect((await examine()).find('git hooks')).toMatchObject({ state: 'wrong', remedy: expect.stringContaining('npx husky') as string });
  layOut(here, 'husky');
  expect((await examine()).find('git hooks')?.state).toBe('ok');
});
