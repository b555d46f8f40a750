import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Checkout, makeCheckout, treeOf } from '../../apps/cli/test/lib/checkout.ts';
import { startServer, terminal, type TestServer } from '../../apps/server/test/harness.ts';
import type { Client } from '../../packages/client/src/index.ts';

// The real husky and lefthook with stock git: `--record` keeps what they lay out for `apps/cli/test/install.test.ts`.
const managers = process.env['HOOK_MANAGERS'] ?? '';
const recorded = join(import.meta.dirname, '../../apps/cli/test/fixtures');

let server: TestServer;
let projectId: string;
let bob: Client & { sessionId: string };
let here: Checkout;

beforeAll(async () => {
  server = await startServer('embedded', { REGISTRATION: 'open' });
});
afterAll(() => server.stop());
beforeEach(async () => {
  const made = await server.project();
  ({ projectId } = made);
  const ann = await terminal(made.lead, projectId);
  const other = await server.engineer('Bob');
  await made.lead.addMember({ projectId, body: { engineerId: other.engineer.id } });
  bob = await terminal(other, projectId);
  here = await makeCheckout({ NEXUS_SERVER_URL: server.url, NEXUS_TOKEN: made.lead.options.apiKey ?? '', NEXUS_SESSION: ann.sessionId });
  here.env['PATH'] = `${here.env['PATH'] ?? ''}:${managers}`;
  here.write('.nexus.json', JSON.stringify({ server: server.url, projectId, slug: 'p' }));
  await here.git('add', '-A');
  await here.git('commit', '-q', '-m', 'start');
  await here.git('init', '-q', '--bare', '../remote.git');
  await here.git('remote', 'add', 'origin', '../remote.git');
  await here.git('push', '-q', 'origin', 'main');
});
afterEach(() => here.remove());

type Manager = {
  /** Sets the program up with a hook of the team's own that says `own pre-commit`. */
  setUp: () => Promise<void>;
  /** What whoever installs us has to do afterwards. */
  afterwards?: () => Promise<unknown>;
  /** What the program writes anew at each of its own installs. */
  own?: RegExp;
};

const kinds: Record<string, Manager> = {
  neither: {
    setUp: () => Promise.resolve(here.write('.git/hooks/pre-commit', '#!/bin/sh\necho own pre-commit >&2\n', 0o755)),
  },
  husky: {
    setUp: async () => {
      here.write('package.json', '{}\n');
      expect(await here.run('husky', ['init'])).toMatchObject({ code: 0 });
      here.write('.husky/pre-commit', 'echo own pre-commit >&2\n');
      await here.git('add', '-A');
    },
    own: /^\.husky\/_\//,
  },
  lefthook: {
    setUp: async () => {
      here.write('lefthook.yml', 'pre-commit:\n  jobs:\n    - run: echo own pre-commit >&2\n');
      await here.git('add', '-A');
      expect(await here.run('lefthook', ['install'])).toMatchObject({ code: 0 });
    },
    afterwards: async () => expect(await here.run('lefthook', ['install'])).toMatchObject({ code: 0 }),
    own: /^\.git\/hooks\/[a-z-]+$/,
  },
};

/** What a repository is like apart from git's own bookkeeping. */
const tree = (): Record<string, string> =>
  Object.fromEntries(Object.entries(treeOf(here.dir)).filter(([path]) => !path.startsWith('.git/') || path.startsWith('.git/hooks/')));
const ours = (): string[] =>
  Object.entries(tree()).flatMap(([path, text]) => (/nexus/i.test(text) && path !== '.nexus.json' ? [path] : []));

async function commit(path: string): Promise<{ code: number; said: string }> {
  here.write(path, `${crypto.randomUUID()}\n`);
  await here.git('add', path);
  const { code, out, err } = await here.git('commit', '-m', `Change ${path}`);
  if (code !== 0) await here.git('rm', '-q', '-f', '--cached', path);
  return { code, said: out + err };
}

async function bothGuardsRun(): Promise<void> {
  await bob.claim({ projectId, body: { paths: ['theirs.ts', 'late.ts'] } });
  const own = await commit('own.ts');
  expect(own).toMatchObject({ code: 0, said: expect.stringContaining('own pre-commit') as string });
  const theirs = await commit('theirs.ts');
  expect(theirs).toMatchObject({ code: 1, said: expect.stringContaining('Bob') as string });
  expect(await here.git('push', 'origin', 'main')).toMatchObject({ code: 0 });
  here.write('late.ts', '1');
  await here.git('add', 'late.ts');
  await here.git('commit', '-q', '--no-verify', '-m', 'around the guard');
  const push = await here.git('push', 'origin', 'main');
  expect(push).toMatchObject({ code: 1, err: expect.stringContaining('late.ts') as string });
  const { findings } = JSON.parse((await here.nexus('doctor', '--json')).out) as { findings: { check: string; state: string }[] };
  expect(findings.find(({ check }) => check === 'git hooks')).toMatchObject({ state: 'ok' });
}

for (const [name, { setUp, afterwards, own }] of Object.entries(kinds))
  describe(`a repository with ${name}`, () => {
    test('both guards run, and uninstall leaves nothing', async () => {
      await setUp();
      const before = tree();
      expect(await here.nexus('install', 'git')).toMatchObject({ code: 0 });
      await afterwards?.();
      if (own !== undefined && process.env['NEXUS_TEST_RECORD']) record(name, own);
      await bothGuardsRun();
      expect(await here.nexus('uninstall', 'git')).toMatchObject({ code: 0 });
      expect(ours()).toEqual([]);
      const after = tree();
      for (const [path, text] of Object.entries(before)) expect([path, after[path]]).toEqual([path, text]);
      const { said } = await commit('free.ts');
      expect(said).toContain('own pre-commit');
      expect(said).not.toContain('nexus');
    });

    test('that came after the guards: a second install finds its place, and uninstall leaves nothing', async () => {
      expect(await here.nexus('install', 'git')).toMatchObject({ code: 0 });
      if (name === 'neither') rmSync(join(here.dir, '.git/hooks/pre-commit'));
      await setUp();
      expect(await here.nexus('install', 'git')).toMatchObject({ code: 0 });
      await afterwards?.();
      await bothGuardsRun();
      expect(await here.nexus('uninstall', 'git')).toMatchObject({ code: 0 });
      expect(ours()).toEqual([]);
    });
  });

function record(name: string, own: RegExp): void {
  const files = Object.entries(tree()).filter(([path, text]) => own.test(path) && text !== 'directory');
  const text = JSON.stringify(Object.fromEntries(files), undefined, 2).replaceAll(join(managers, '..'), '/node_modules');
  writeFileSync(join(recorded, `${name}.json`), `${text}\n`);
}
