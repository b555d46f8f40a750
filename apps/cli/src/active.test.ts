import type { Feature } from '@nexus/contract';
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportFeature, removeExport, removeExportsOf } from './active.ts';
import { parseSpecFile } from './front-matter.ts';
import { findWorktree, type Worktree } from './git.ts';
import { gitIn, makePlace, makeRepository, type Place } from './testing/io.ts';

let place: Place;
let worktree: Worktree;
beforeEach(async () => {
  place = makePlace();
  makeRepository(place.dir);
  const found = await findWorktree(place.dir);
  if (found === undefined) throw new Error('No repository.');
  worktree = found;
});
afterEach(() => place.remove());

const feature: Feature = {
  id: 'f',
  projectId: 'p',
  slug: 'login-form',
  title: 'Login: a "form"',
  spec: '# Do it\u001b[2J',
  status: 'active',
  lane: 'now',
  priority: 1,
  touches: ['src/auth/', 'ro:docs/'],
  dependsOn: [],
  createdBy: 'e',
  claimedBy: 'e',
  claimedAt: null,
  completedAt: null,
  createdAt: '',
  updatedAt: '',
  version: 1,
  heldBy: { sessionId: 's1', agent: 'claude', engineerName: 'Ada', parked: false },
  fence: 3,
  interrupted: false,
};

test('a picked feature is written where its agent finds it, unseen by git, and taken away again', () => {
  const spec = exportFeature(worktree, feature);
  expect(spec).toBe(join(place.dir, '.nexus', 'active', 'login-form', 'spec.md'));
  const { slug, title, touches, spec: text } = parseSpecFile(readFileSync(spec, 'utf8'), 'spec.md');
  expect({ slug, title, touches, text }).toEqual({
    slug: 'login-form',
    title: 'Login: a "form"',
    touches: ['src/auth/', 'ro:docs/'],
    text: '# Do it[2J',
  });
  expect(readFileSync(join(spec, '..', 'claims.txt'), 'utf8')).toBe('src/auth/\nro:docs/\n');
  expect(JSON.parse(readFileSync(join(spec, '..', 'feature.json'), 'utf8'))).toEqual(feature);
  expect(gitIn(place.dir, 'status', '--porcelain')).toBe('');
  exportFeature(worktree, feature);
  expect(readFileSync(join(place.dir, '.git', 'info', 'exclude'), 'utf8').match(/^\.nexus\/$/gm)).toHaveLength(1);
  removeExport(worktree, 'login-form');
  expect(existsSync(join(place.dir, '.nexus', 'active'))).toBe(false);
  removeExport(worktree, 'login-form');
});

test('what a lost session left is taken away, and only that', () => {
  exportFeature(worktree, feature);
  exportFeature(worktree, { ...feature, slug: 'other', heldBy: { sessionId: 's2', agent: 'codex', engineerName: 'Ada', parked: false } });
  removeExportsOf(worktree, 's1');
  expect(readdirSync(join(place.dir, '.nexus', 'active'))).toEqual(['other']);
});

test('nothing is written or removed through a symlink, nor under a name that is no slug', () => {
  const target = join(place.dir, 'target');
  mkdirSync(join(target, 'active', 'login-form'), { recursive: true });
  writeFileSync(join(target, 'active', 'login-form', 'mine'), '');
  symlinkSync('target', join(place.dir, '.nexus'));
  expect(() => exportFeature(worktree, feature)).toThrow(/not a directory of its own/);
  expect(() => removeExport(worktree, 'login-form')).toThrow(/not a directory of its own/);
  expect(readdirSync(join(target, 'active', 'login-form'))).toEqual(['mine']);
  for (const slug of ['../up', '..', 'a/b', 'a..b', '']) expect(() => exportFeature(worktree, { ...feature, slug })).toThrow(/no slug/);
});
