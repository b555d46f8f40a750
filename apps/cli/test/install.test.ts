import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Checkout, makeCheckout, program, treeOf } from './lib/checkout.ts';
import { layOut, lefthook } from './lib/hook-managers.ts';

let here: Checkout;
beforeEach(async () => {
  here = await makeCheckout();
});
afterEach(() => here.remove());

describe('nexus install claude', () => {
  test('makes the file, and uninstall leaves nothing', async () => {
    const before = treeOf(here.dir);
    const dry = await here.nexus('install', 'claude', '--dry-run');
    expect(dry.out).toContain('+++ ');
    expect(treeOf(here.dir)).toEqual(before);
    expect((await here.nexus('install', 'claude')).code).toBe(0);
    const installed = treeOf(here.dir);
    expect(installed['.claude/settings.json']).toContain('"command": "nexus"');
    expect(await here.nexus('install', 'claude', '--json')).toMatchObject({
      code: 0,
      out: expect.stringContaining('"changed": false') as string,
    });
    expect(treeOf(here.dir)).toEqual(installed);
    expect((await here.nexus('uninstall', 'claude')).code).toBe(0);
    expect(treeOf(here.dir)).toEqual(before);
  });

  test('keeps what is there, and uninstall gives back the same bytes', async () => {
    here.write('.claude/settings.local.json', '{ "model": "x", // mine\n   "hooks": {} }', 0o600);
    const before = treeOf(here.dir);
    const told = await here.nexus('install', 'claude', '--scope', 'local');
    expect(told.err).toContain('keep it out of commits');
    expect(here.read('.claude/settings.local.json')).toContain('// mine');
    expect(here.read('.claude/settings.local.json')).toContain(join(here.dir, '..', 'bin', 'nexus'));
    await here.nexus('install', 'claude', '--scope', 'local');
    await here.nexus('uninstall', 'claude', '--scope', 'local');
    expect(treeOf(here.dir)).toEqual(before);
  });

  test('takes out only its own when somebody edited the file since', async () => {
    here.write('.claude/settings.json', '{\n  "model": "x"\n}\n');
    await here.nexus('install', 'claude');
    here.write('.claude/settings.json', here.read('.claude/settings.json').replace('"x"', '"y"'));
    await here.nexus('uninstall', 'claude');
    expect(here.read('.claude/settings.json')).toBe('{\n  "model": "y"\n}\n');
    expect(Object.keys(treeOf(join(here.dir, '.claude')))).toEqual(['settings.json']);
  });

  test('warns when another scope has the hooks too, and refuses what it cannot read', async () => {
    await here.nexus('install', 'claude', '--scope', 'user');
    expect((await here.nexus('install', 'claude')).err).toContain('twice');
    here.write('.claude/settings.json', '{ broken');
    const refused = await here.nexus('install', 'claude');
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toContain('line 1');
    expect(here.read('.claude/settings.json')).toBe('{ broken');
  });
});

/** What `install`, twice, and `uninstall` do to the tree, with a try of the hooks between. */
async function roundTrip(tryHooks: () => Promise<void>): Promise<void> {
  const before = treeOf(here.dir);
  const dry = await here.nexus('install', 'git', '--dry-run');
  expect(dry.out).toContain('nexus git-hook pre-commit');
  expect(treeOf(here.dir)).toEqual(before);
  expect(await here.nexus('install', 'git')).toMatchObject({ code: 0 });
  const installed = treeOf(here.dir);
  expect((await here.nexus('install', 'git')).err).toContain('in place already');
  expect(treeOf(here.dir)).toEqual(installed);
  await tryHooks();
  expect((await here.nexus('uninstall', 'git')).code).toBe(0);
  const hooksOnly = (tree: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(tree).filter(([path]) => !path.startsWith('.git/') || path.startsWith('.git/hooks')));
  expect(hooksOnly(treeOf(here.dir))).toEqual(hooksOnly(before));
}

const commit = async (env: Record<string, string> = {}): Promise<{ code: number; err: string; out: string }> =>
  here.run('git', ['commit', '--allow-empty', '-m', 'x'], { env });

/** A `nexus` that says which hook it was asked for, and refuses when told to. */
const fakeNexus = (): string => {
  const bin = join(here.dir, '..', 'fake');
  mkdirSync(bin, { recursive: true });
  program(
    join(bin, 'nexus'),
    '#!/bin/sh\necho "asked $2" >&2\n[ "$2" != pre-push ] || cat >&2\n[ "$2" != "$REFUSE" ] || exit "${CODE:-1}"\n',
  );
  return `${bin}:${here.env['PATH'] ?? ''}`;
};

const refusesPushes = async (PATH: string): Promise<void> => {
  await here.git('init', '-q', '--bare', '../remote.git');
  const push = await here.run('git', ['push', '../remote.git', 'main'], { env: { PATH } });
  expect(push).toMatchObject({ code: 0, err: expect.stringMatching(/asked pre-push\nrefs\/heads\/main /) as string });
  expect((await here.run('git', ['push', '../remote.git', 'main:other'], { env: { PATH, REFUSE: 'pre-push' } })).code).toBe(1);
  rmSync(join(here.dir, '..', 'remote.git'), { recursive: true });
};

describe('nexus install git', () => {
  test('without any hook makes four, and uninstall removes them', async () => {
    await roundTrip(async () => {
      const done = await commit({ PATH: fakeNexus() });
      expect(done.code).toBe(0);
      for (const hook of ['pre-commit', 'commit-msg', 'post-commit']) expect(done.err).toContain(`asked ${hook}`);
      expect((await commit({ PATH: fakeNexus(), REFUSE: 'pre-commit' })).code).toBe(1);
      expect((await commit({ PATH: fakeNexus(), REFUSE: 'pre-commit', NEXUS_SKIP: '1' })).err).toBe('');
    });
  });

  for (const [name, first] of [
    ['sh', '#!/bin/sh\n'],
    ['bash', '#!/usr/bin/env bash\nset -euo pipefail\n'],
    ['no first line', ''],
  ] as const)
    test(`with a hook of one's own (${name}): both run, and either can refuse`, async () => {
      here.write('.git/hooks/pre-commit', `${first}echo "own hook" >&2\nif [ "\${OWN:-}" = no ]; then exit 7; fi\nexit 0\n`, 0o755);
      here.write('.git/hooks/pre-push', `${first}while read -r line; do echo "own saw $line" >&2; done\n`, 0o755);
      await roundTrip(async () => {
        const PATH = fakeNexus();
        const both = await commit({ PATH });
        expect(both).toMatchObject({ code: 0, err: expect.stringMatching(/asked pre-commit\nown hook/) as string });
        expect((await commit({ PATH, OWN: 'no' })).code).toBe(1);
        expect((await commit({ PATH, REFUSE: 'pre-commit' })).err).not.toContain('own hook');
        await here.git('init', '-q', '--bare', '../remote.git');
        const push = await here.run('git', ['push', '../remote.git', 'main'], { env: { PATH } });
        expect(push.code).toBe(0);
        expect(push.err).toMatch(/asked pre-push\nrefs\/heads\/main .*\n(?:\n)?own saw refs\/heads\/main/);
        expect((await here.run('git', ['push', '../remote.git', 'main:other'], { env: { PATH, REFUSE: 'pre-push' } })).code).toBe(1);
        // The exit code of the hook below is git's to see.
        expect((await here.run(first.includes('bash') ? 'bash' : 'sh', ['.git/hooks/pre-commit'], { env: { PATH, OWN: 'no' } })).code).toBe(
          7,
        );
        rmSync(join(here.dir, '..', 'remote.git'), { recursive: true });
      });
    });

  test('with a hook that is no shell script, or a link: that one runs after ours', async () => {
    program(join(here.dir, 'check.py'), '#!/usr/bin/env node\nconsole.error("own hook"); process.exit(process.env.OWN ? 7 : 0);\n');
    here.write('.git/hooks/commit-msg', here.read('check.py'), 0o755);
    symlinkSync('../../check.py', join(here.dir, '.git/hooks/pre-commit'));
    await roundTrip(async () => {
      const PATH = fakeNexus();
      expect((await commit({ PATH })).err).toMatch(/asked pre-commit\nown hook\nasked commit-msg\nown hook/);
      expect((await commit({ PATH, OWN: 'no' })).code).toBe(1);
    });
  });

  test('with husky goes into .husky, not into what husky writes anew', async () => {
    layOut(here, 'husky');
    here.write('.husky/pre-commit', 'echo "own hook" >&2\n[ "$OWN" != no ]\n', 0o644);
    await here.git('config', 'core.hooksPath', '.husky/_');
    await roundTrip(async () => {
      const PATH = fakeNexus();
      expect((await commit({ PATH })).err).toMatch(/asked pre-commit\nown hook\nasked commit-msg/);
      expect((await commit({ PATH, OWN: 'no' })).code).toBe(1);
      expect((await commit({ PATH, REFUSE: 'pre-commit' })).code).toBe(1);
      await refusesPushes(PATH);
      expect(here.read('.husky/_/pre-commit')).not.toContain('nexus');
    });
  });

  test('with lefthook goes into its local file, and only a refusal refuses', async () => {
    layOut(here, 'lefthook');
    here.write('lefthook.yml', 'pre-commit:\n  jobs:\n    - run: echo "own hook" >&2; [ "$OWN" != no ]\n');
    here.write('lefthook-local.yml', 'output: false\n');
    await roundTrip(async () => {
      expect(here.read('lefthook-local.yml')).toStartWith('output: false\n# >>> nexus >>>');
      const PATH = `${lefthook(here)}:${fakeNexus()}`;
      const both = await commit({ PATH });
      expect(both.code).toBe(0);
      for (const said of ['own hook', 'asked pre-commit', 'asked commit-msg', 'asked post-commit']) expect(both.err).toContain(said);
      expect((await commit({ PATH, OWN: 'no' })).code).toBe(1);
      expect((await commit({ PATH, REFUSE: 'pre-commit' })).code).toBe(1);
      expect((await commit({ PATH, REFUSE: 'pre-commit', CODE: '2' })).code).toBe(0);
      await refusesPushes(PATH);
    });
  });

  test('with a lefthook file that has these hooks already leaves that to people', async () => {
    here.write('lefthook.yml', '');
    here.write('lefthook-local.yml', 'pre-push:\n  follow: true\n');
    const refused = await here.nexus('install', 'git');
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('nexus git-hook pre-push');
  });

  test('moves with the repository to another program, and is taken out of where git looks no more', async () => {
    await here.nexus('install', 'git');
    // As lefthook renames what it finds.
    renameSync(join(here.dir, '.git/hooks/pre-commit'), join(here.dir, '.git/hooks/pre-commit.old'));
    layOut(here, 'husky');
    await here.git('config', 'core.hooksPath', '.husky/_');
    const moved = await here.nexus('install', 'git');
    expect(moved.out).toMatch(/Took Nexus out of .*\.git\/hooks\/pre-push\n/);
    expect(Object.keys(treeOf(here.dir)).filter((path) => /^\.git\/hooks\/.*(?<!sample)$/.test(path))).toEqual([]);
    expect((await commit({ PATH: fakeNexus() })).err).toContain('asked pre-commit');
    await here.git('config', '--unset', 'core.hooksPath');
    expect((await here.nexus('uninstall', 'git')).code).toBe(0);
    expect(Object.keys(treeOf(join(here.dir, '.husky'))).filter((path) => !path.startsWith('_'))).toEqual([]);
  });

  test('follows core.hooksPath, and says so where it is shared', async () => {
    await here.git('config', 'core.hooksPath', '../shared');
    const told = await here.nexus('install', 'git');
    expect(told.err).toContain('more than this repository');
    expect((await commit({ PATH: fakeNexus() })).err).toContain('asked pre-commit');
  });

  test('refuses to bring a hook to life that git passes over', async () => {
    here.write('.git/hooks/pre-commit', 'exit 1\n', 0o644);
    expect((await here.nexus('install', 'git')).err).toContain('chmod +x');
    expect(here.read('.git/hooks/pre-commit')).toBe('exit 1\n');
  });
});
