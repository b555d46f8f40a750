import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryPaths } from './paths.ts';
import { gitIn, makePlace, makeRepository, type Place } from './testing/io.ts';

let place: Place;
let repo: string;
beforeAll(() => {
  place = makePlace();
  repo = join(place.dir, 'repo');
  mkdirSync(join(repo, 'src', 'auth'), { recursive: true });
  mkdirSync(join(place.dir, 'outside'));
  makeRepository(repo);
  writeFileSync(join(repo, 'src', 'a.ts'), '');
  symlinkSync('src', join(repo, 'link'));
  symlinkSync('src/a.ts', join(repo, 'one.ts'));
  symlinkSync(repo, join(place.dir, 'elsewhere'));
  symlinkSync(join(place.dir, 'outside'), join(repo, 'out'));
  gitIn(repo, 'worktree', 'add', '-q', join(place.dir, 'tree'));
  mkdirSync(join(place.dir, 'tree', 'src'));
});
afterAll(() => place.remove());

const at = (...parts: string[]): string => join(place.dir, ...parts);

test('absolute, relative, sub-directory, symlinked and worktree paths come to one name', async () => {
  expect(await repositoryPaths(['src/a.ts'], repo)).toEqual(['src/a.ts']);
  expect(await repositoryPaths([at('repo', 'src', 'a.ts')], at('outside'))).toEqual(['src/a.ts']);
  expect(await repositoryPaths(['a.ts', '../src/./a.ts'], at('repo', 'src'))).toEqual(['src/a.ts']);
  expect(await repositoryPaths([at('elsewhere', 'src', 'a.ts')], repo)).toEqual(['src/a.ts']);
  expect(await repositoryPaths(['src/a.ts'], at('tree'))).toEqual(['src/a.ts']);
  expect(await repositoryPaths([at('tree', 'src', 'a.ts')], repo)).toEqual(['src/a.ts']);
});

test('a symlink inside the repository counts under its own name and its target’s', async () => {
  expect(await repositoryPaths(['link/a.ts'], repo)).toEqual(['src/a.ts', 'link/a.ts']);
  expect(await repositoryPaths(['one.ts'], repo)).toEqual(['src/a.ts', 'one.ts']);
  expect(await repositoryPaths(['out/x.txt'], repo)).toEqual(['out/x.txt']);
});

test('files and directories that do not exist yet have names too', async () => {
  expect(await repositoryPaths(['src/new/deep/x.ts', 'lib/'], repo)).toEqual(['src/new/deep/x.ts', 'lib/']);
  expect(await repositoryPaths(['link/new/x.ts'], repo)).toEqual(['src/new/x.ts', 'link/new/x.ts']);
});

test('a directory that exists is a tree, and the top is the whole repository', async () => {
  expect(await repositoryPaths(['src', 'src/auth/'], repo)).toEqual(['src/', 'src/auth/']);
  expect(await repositoryPaths(['.'], at('repo', 'src'))).toEqual(['src/']);
  expect(await repositoryPaths(['.', '..'], repo)).toEqual(['**', '..']);
});

test('patterns keep their wildcards, and names with brackets are ordinary', async () => {
  expect(await repositoryPaths(['**', '*.ts', 'auth/**'], at('repo', 'src'))).toEqual(['src/**', 'src/*.ts', 'src/auth/**']);
  expect(await repositoryPaths(['app/[id]/page.tsx'], repo)).toEqual(['app/[id]/page.tsx']);
});

test('prefixes stay in front, and resources are no paths', async () => {
  expect(await repositoryPaths(['ro:a.ts', 'res:port/5432'], at('repo', 'src'))).toEqual(['ro:src/a.ts', 'res:port/5432']);
  expect(await repositoryPaths(['./res:port/5432', 'ro:./ro:x', at('repo', 'C:x')], at('repo'))).toEqual([
    './res:port/5432',
    'ro:./ro:x',
    './C:x',
  ]);
});

test('outside of any repository a path stays as it was typed', async () => {
  expect(await repositoryPaths(['x.ts', '../y.ts', '/etc/passwd'], at('outside'))).toEqual(['x.ts', '../y.ts', '/etc/passwd']);
});
