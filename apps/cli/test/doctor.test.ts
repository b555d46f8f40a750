import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@nexus/client';
import { startServer, type TestServer } from '../../server/test/harness.ts';
import { type Checkout, makeCheckout } from './lib/checkout.ts';

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
  expect(find('hook')?.says).toMatch(/`nexus hook claude` answered in \d+ ms/);
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
