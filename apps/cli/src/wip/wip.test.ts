import { afterEach, beforeEach, expect, test } from 'bun:test';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findWorktree, type Worktree } from '../git.ts';
import { gitIn, makePlace, makeRepository, type Place } from '../testing/io.ts';
import { findWip, restoreWip, standingOf } from './restore.ts';
import { isKept, snapshot } from './snapshot.ts';

const id = '00000000-0000-7000-8000-000000000001';
let place: Place;
let worktree: Worktree;
beforeEach(async () => {
  place = makePlace();
  makeRepository(place.dir);
  for (const name of ['a.ts', 'b.ts', 'other.ts']) write(`src/${name}`, `${name}\n`.repeat(9));
  write('.gitignore', 'dist/\n*.log\n');
  git('add', '-A');
  commit('files');
  worktree = await here(place.dir);
});
afterEach(() => place.remove());

const here = async (dir: string): Promise<Worktree> => {
  const found = await findWorktree(dir);
  if (found === undefined) throw new Error(`${dir} is no checkout.`);
  return found;
};
const git = (...args: string[]) => gitIn(place.dir, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args);
const commit = (message: string) => git('commit', '-q', '-m', message);
function write(path: string, text: string, dir = place.dir) {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), text);
}
const read = (path: string, dir = place.dir) => readFileSync(join(dir, path), 'utf8');
const keep = (paths: string[], more: { except?: string[]; as?: 'saved' | 'left' } = {}) =>
  snapshot({ toplevel: worktree.toplevel, gitDir: worktree.gitDir, sessionId: id, paths, as: 'left', ...more });
/** Everything of the user's that must stay as it is, the index to the byte. */
const untouched = () => [
  git('status', '--porcelain=v1', '-z'),
  git('rev-parse', 'HEAD'),
  git('symbolic-ref', 'HEAD'),
  git('stash', 'list'),
  git('diff'),
  git('diff', '--cached'),
  readFileSync(join(place.dir, '.git', 'index')).toString('base64'),
];

test('keeps what is uncommitted under the claims, untracked files too, ignored ones not; nothing of the user’s changes', async () => {
  write('src/a.ts', 'edited\n');
  write('src/new file ü.ts', 'new\n');
  write('src/run.log', 'log\n');
  write('src/dist/x.js', 'built\n');
  write('src/staged.ts', 'staged\n');
  git('add', 'src/staged.ts');
  write('src/staged.ts', 'staged, then edited\n');
  rmSync(join(place.dir, 'src/b.ts'));
  symlinkSync('a.ts', join(place.dir, 'src/link'));
  write('src/tool.sh', '#!/bin/sh\n');
  chmodSync(join(place.dir, 'src/tool.sh'), 0o755);
  write('elsewhere.ts', 'not claimed\n');
  git('status');
  const before = untouched();
  const kept = await keep(['src/', 'ro:elsewhere.ts']);
  expect(untouched()).toEqual(before);
  expect(kept?.ref).toBe(`refs/nexus/wip/${id}`);
  expect(kept?.files.toSorted()).toEqual(['src/a.ts', 'src/b.ts', 'src/link', 'src/new file ü.ts', 'src/staged.ts', 'src/tool.sh']);
  const changes = git('-c', 'core.quotePath=false', 'diff', '--no-renames', '--name-status', 'HEAD', kept?.ref ?? '')
    .trim()
    .split('\n');
  expect(changes).toEqual(['M\tsrc/a.ts', 'D\tsrc/b.ts', 'A\tsrc/link', 'A\tsrc/new file ü.ts', 'A\tsrc/staged.ts', 'A\tsrc/tool.sh']);
  expect(git('show', `${kept?.ref}:src/staged.ts`)).toBe('staged, then edited\n');
  expect(git('ls-tree', kept?.ref ?? '', 'src/tool.sh', 'src/link').match(/^\d+/gm)).toEqual(['120000', '100755']);
  expect(git('rev-parse', `${kept?.ref}^`)).toBe(git('rev-parse', 'HEAD'));
  expect(readdirSync(join(place.dir, '.git', 'nexus'))).toEqual([]);
});

test('keeps nothing where nothing is uncommitted, and nothing of what others hold', async () => {
  expect(await keep(['src/'])).toBeUndefined();
  write('src/a.ts', 'theirs\n');
  write('src/b.ts', 'ours\n');
  expect((await keep(['src/'], { except: ['src/a.ts'] }))?.files).toEqual(['src/b.ts']);
  expect(await keep(['docs/'])).toBeUndefined();
  write('src/[id].ts', 'route\n');
  write('src/[id].md', 'text\n');
  expect((await keep(['src/*.ts'], { except: ['src/a.ts'] }))?.files).toEqual(['src/b.ts', 'src/[id].ts']);
});

test('leaves out what is too large to be source, and forgets what nobody took over in a quarter of a year', async () => {
  write('src/a.ts', 'x\n');
  write('src/data.bin', '');
  truncateSync(join(place.dir, 'src/data.bin'), 51 * 1024 * 1024);
  const env = { ...process.env, GIT_COMMITTER_DATE: `${Math.floor(Date.now() / 1000) - 91 * 86_400} +0000` };
  const [, tree = ''] = /^tree (\w+)/.exec(git('cat-file', '-p', 'HEAD')) ?? [];
  const args = ['-C', place.dir, '-c', 'user.name=t', '-c', 'user.email=t@example.org', 'commit-tree', tree, '-m', 'old'];
  const old = Bun.spawnSync(['git', ...args], { env })
    .stdout.toString()
    .trim();
  git('update-ref', 'refs/nexus/wip/old', old);
  expect((await keep(['src/']))?.files).toEqual(['src/a.ts']);
  expect(git('for-each-ref', '--format=%(refname)', 'refs/nexus').trim()).toBe(`refs/nexus/wip/${id}`);
});

test('the same once more is the same commit; what was kept before a later look stays reachable', async () => {
  write('src/a.ts', 'one\n');
  const saved = await keep(['src/'], { as: 'saved' });
  expect(await keep(['src/'], { as: 'saved' })).toEqual(saved);
  expect(await isKept(place.dir, id)).toBe(false);
  write('src/a.ts', 'two\n');
  const left = await keep(['src/']);
  expect(await isKept(place.dir, id)).toBe(true);
  expect(await keep(['src/'])).toEqual(left);
  expect(git('show', `${left?.ref}:src/a.ts`)).toBe('two\n');
  expect(git('show', `${left?.ref}^2:src/a.ts`)).toBe('one\n');
});

test('a session’s id that is no id makes no ref', async () => {
  write('src/a.ts', 'x\n');
  for (const sessionId of ['../../heads/main', 'x', ''])
    expect(await snapshot({ toplevel: place.dir, gitDir: worktree.gitDir, sessionId, paths: ['.'], as: 'left' })).toBeUndefined();
  expect(git('for-each-ref', 'refs/nexus')).toBe('');
});

test('a repository without a commit is kept and restored as well', async () => {
  const dir = join(place.dir, 'young');
  write('first.ts', 'first\n', dir);
  gitIn(dir, 'init', '-q');
  const young = await here(dir);
  const kept = await snapshot({ toplevel: dir, gitDir: young.gitDir, sessionId: id, paths: ['.'], as: 'left' });
  expect(kept?.files).toEqual(['first.ts']);
  rmSync(join(dir, 'first.ts'));
  expect(await restoreWip(young, kept?.ref ?? '')).toEqual({ state: 'restored', files: ['first.ts'] });
  expect(read('first.ts', dir)).toBe('first\n');
});

const left = (more: object = {}) => ({
  sessionId: id,
  engineerName: 'Ann',
  agent: 'claude',
  machine: 'm',
  worktree: place.dir,
  gitBranch: 'main',
  at: '2026-01-01T00:00:00.000Z',
  paths: ['src/'],
  ...more,
});

test('another clone of this machine brings it in, beside commits that came since; the index stays', async () => {
  const clone = `${place.dir}-clone`;
  try {
    gitIn(place.dir, 'clone', '-q', place.dir, clone);
    write('src/a.ts', `top\n${'a.ts\n'.repeat(9)}`);
    write('src/new.ts', 'new\n');
    rmSync(join(place.dir, 'src/b.ts'));
    await keep(['src/']);
    write('src/a.ts', `${'a.ts\n'.repeat(9)}end\n`, clone);
    gitIn(clone, '-c', 'user.name=t', '-c', 'user.email=t@example.org', 'commit', '-q', '-a', '-m', 'came since');
    const there = await here(clone);
    expect(await findWip(there, left({ machine: 'other', worktree: '/nowhere' }), 'm2')).toBe(`refs/nexus/wip/${id}`);
    gitIn(clone, 'update-ref', '-d', `refs/nexus/wip/${id}`);
    gitIn(clone, 'remote', 'remove', 'origin');
    expect(await findWip(there, left({ machine: 'other' }), 'm')).toBeUndefined();
    const ref = await findWip(there, left(), 'm');
    expect(await restoreWip(there, ref ?? '')).toEqual({ state: 'restored', files: ['src/a.ts', 'src/b.ts', 'src/new.ts'] });
    expect(read('src/a.ts', clone)).toBe(`top\n${'a.ts\n'.repeat(9)}end\n`);
    expect([read('src/new.ts', clone), existsSync(join(clone, 'src/b.ts'))]).toEqual(['new\n', false]);
    expect(gitIn(clone, 'diff', '--cached')).toBe('');
    expect((await restoreWip(there, ref ?? '')).state).toBe('here');
    const base = gitIn(place.dir, 'rev-parse', 'HEAD').trim();
    expect(await standingOf(clone, base)).toBe('merged');
    expect(await standingOf(clone, gitIn(clone, 'rev-parse', ref ?? '').trim())).toBe('apart');
    expect(await standingOf(clone, 'c0ffee'.repeat(7).slice(0, 40))).toBe('missing');
  } finally {
    rmSync(clone, { recursive: true, force: true });
  }
});

test('what does not fit is not written, not even in part', async () => {
  write('src/a.ts', 'theirs\n');
  write('src/new.ts', 'new\n');
  const kept = await keep(['src/']);
  rmSync(join(place.dir, 'src/new.ts'));
  write('src/a.ts', 'mine\n');
  expect((await restoreWip(worktree, kept?.ref ?? '')).state).toBe('clashes');
  expect([read('src/a.ts'), existsSync(join(place.dir, 'src/new.ts'))]).toEqual(['mine\n', false]);
});
