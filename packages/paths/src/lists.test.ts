import { expect, test } from 'bun:test';
import { isListed } from './lists.ts';

const cases: Array<[string, string, boolean]> = [
  ['/bun.lock', 'bun.lock', true],
  ['/apps/cli/package.json', 'package.json', true],
  ['/apps/cli/package.jsonx', 'package.json', false],
  ['/bun.lock', 'Bun.Lock', true],
  ['/a/dist/x.js', 'dist/', true],
  ['/src/redist/x.js', 'dist/', false],
  ['/dist', 'dist/', true],
  ['/docs/api/a.md', 'docs/api/', true],
  ['/x/docs/api/a.md', 'docs/api/', false],
  ['/docs/x.md', 'docs/x.md', true],
  ['/a/b/style.css.map', '*.map', true],
  ['/a/b/map', '*.map', false],
  ['/db/migrations/0001_x.sql', 'db/migrations/*.sql', true],
  ['', 'dist/', false],
  ['/apps/*/package.json', 'package.json', true],
  ['/docs/**/x.md', 'docs/*/x.md', false],
];
for (const [node, entry, listed] of cases) {
  test(`${node || '(root)'} is ${listed ? '' : 'not '}on a list with ${entry}`, () => expect(isListed(node, [entry])).toBe(listed));
}
