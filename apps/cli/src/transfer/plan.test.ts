import type { Feature } from '@nexus/contract';
import { expect, test } from 'bun:test';
import { planImport } from './plan.ts';

const spec = (fields: string, body = 'Do it.'): string => `---\n${fields}\n---\n\n${body}\n`;
const plan = (files: Record<string, string>, existing: Feature[] = []) =>
  planImport(
    Object.entries(files).map(([path, text]) => ({ path, text })),
    existing,
    { ready: true },
  ).map((item) => [item.path, item.slug, item.outcome, 'reason' in item ? item.reason : '']);

test('a file names its feature: by front matter, by its heading, by its own name', () => {
  const [first, second, third] = planImport(
    [
      { path: 'a/login-form.md', text: spec('title: Login\ntouches: [src/auth/, "ro:docs/a.md"]\nlane: now') },
      { path: 'Plain Words.md', text: '# What to do\n\nThis.' },
      { path: 'x.md', text: spec('slug: other') },
    ],
    [],
    { ready: false },
  );
  expect(first).toMatchObject({
    body: { slug: 'login-form', title: 'Login', lane: 'now', touches: ['src/auth/', 'ro:docs/a.md'], ready: false },
  });
  expect(second).toMatchObject({ body: { slug: 'plain-words', title: 'What to do', spec: '# What to do\n\nThis.' } });
  expect(third).toMatchObject({ body: { slug: 'other', title: 'x' } });
});

test('what others wait for comes first, whatever the files are called', () => {
  const files = { 'a.md': spec('dependsOn: [b, there]'), 'b.md': spec('dependsOn: [c]'), 'c.md': spec('title: C') };
  expect(plan(files, [feature('there')]).map(([, slug, outcome]) => [slug, outcome])).toEqual([
    ['c', 'create'],
    ['b', 'create'],
    ['a', 'create'],
  ]);
});

test('a file that cannot be imported says why, and spares the others', () => {
  const found = plan({
    'bad-yaml.md': '---\ntitle: [\n---\n',
    'bad-key.md': spec('touch: [src/]'),
    'bad-path.md': spec('touches: [../up]'),
    'Bad.md': spec('slug: Not A Slug'),
    'good.md': spec('title: Good'),
    'twice.md': spec('slug: good'),
    'lost.md': spec('dependsOn: [nowhere]'),
    'ring.md': spec('dependsOn: [round]'),
    'round.md': spec('dependsOn: [ring]'),
  });
  const reasons = Object.fromEntries(found.map(([path, , outcome, reason]) => [path, `${outcome} ${reason}`]));
  expect(reasons['good.md']).toBe('create ');
  for (const [path, said] of [
    ['bad-yaml.md', 'not valid YAML'],
    ['bad-key.md', 'unknown front matter key "touch"'],
    ['bad-path.md', 'touches: '],
    ['Bad.md', 'slug: Use 1 to 80'],
    ['twice.md', 'good.md has the slug good as well'],
    ['lost.md', 'depends on nowhere'],
    ['ring.md', 'waits for round, which cannot come first'],
  ] as const)
    expect([path, reasons[path]]).toEqual([path, expect.stringMatching(new RegExp(`^failed .*${said}`))]);
});

test('what is there already stays as it is', () => {
  const files = { 'same.md': spec('title: Same\ntouches: [src/a/**]'), 'other.md': spec('title: Another') };
  const there = [feature('same', { title: 'Same', touches: ['src/a/'], lane: 'later' }), feature('other')];
  expect(plan(files, there).map(([, slug, outcome]) => [slug, outcome])).toEqual([
    ['same', 'unchanged'],
    ['other', 'differs'],
  ]);
});

function feature(slug: string, more: Partial<Feature> = {}): Feature {
  return {
    ...{
      id: slug,
      projectId: 'p',
      slug,
      title: slug,
      spec: 'Do it.',
      status: 'ready',
      lane: 'next',
      priority: 1,
      touches: [],
      dependsOn: [],
    },
    ...{ createdBy: 'e', claimedBy: null, claimedAt: null, completedAt: null, createdAt: '', updatedAt: '', version: 1 },
    ...{ heldBy: null, fence: null, interrupted: false },
    ...more,
  };
}
