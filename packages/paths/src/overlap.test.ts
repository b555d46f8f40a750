import { describe, expect, test } from 'bun:test';
import type { Claim } from './claim.ts';
import { compatible, covers, overlaps, reduceClaims } from './overlap.ts';
import { overlapSuite } from './overlap.suite.ts';
import { parseClaim } from './parse.ts';
import { runOf } from './testing/outcome.ts';

function claimOf(touch: string): Claim {
  const parsed = parseClaim(touch);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.claim;
}

test('5,000 pairs against exact automata: never unsound, and too careful only where a file lies above something', () => {
  const { operations, violations, overlapping, careful, covering } = overlapSuite(runOf(5_000));
  expect(violations).toEqual([]);
  expect(overlapping).toBeGreaterThan(operations / 8);
  // Seven in a thousand are usual: that some were met, by whatever seed.
  expect(Math.min(careful, covering)).toBeGreaterThan(operations / 1000);
}, 60_000);

test.each([
  ['src/**/*.ts', 'src/a.ts', true],
  ['src/**/*.ts', 'src/deep/er/a.ts', true],
  ['src/**/*.ts', 'src/a.tsx', false],
  ['src/**/*.ts', 'SRC/A.TS', true],
  ['src/**/*.ts', 'src/auth/', true],
  ['src/**/*.ts', 'lib/', false],
  ['src/*.ts', 'src/auth/', false],
  ['src/*/**', 'src/auth/', true],
  ['src/*', 'src/.env', true],
  ['src/*', 'src/a/b', false],
  ['**/*.md', '.', true],
  ['**/*.md', 'readme.md', true],
  ['**/test/**', 'src/**/*.ts', true],
  ['src/*.ts', 'src/*.md', false],
  ['src/a*', 'src/*b', true],
  ['src/?.ts', 'src/??.ts', false],
  ['db/migrations/2026*', 'db/migrations/20260101_x.sql', true],
  ['src/*.ts', 'src', true],
  ['src/**/x', 'src/y', false],
  ['a?b', 'a😀b', true],
  ['σοφό*', 'ΣΟΦΌΣ', true],
  ['res:port/1', 'res:PORT/1', true],
  ['res:port/1', 'res:port/10', false],
  ['res:port', 'res:port/1', false],
  ['res:port/1', './res:port/1', false],
  ['res:port/1', '.', false],
  ['res:port/1', '**/1', false],
  ['res:port/1', 'res:port/1@one', true],
  ['res:port/1@one', 'res:port/1@two', false],
  ['res:port/1@one', 'res:port/10@one', false],
  ['res:port/1@on', 'res:port/1@one', false],
])('%s and %s overlap: %p', (a, b, answer) => {
  expect(overlaps(claimOf(a), claimOf(b))).toBe(answer);
  expect(overlaps(claimOf(b), claimOf(a))).toBe(answer);
});

test.each([
  ['src/', 'src/a.ts', true],
  ['src/', 'src/**/*.ts', true],
  ['src/a', 'src/a/b', false],
  ['res:db', 'res:db', true],
  ['res:db', 'res:db@one', true],
  ['res:db@one', 'res:db', false],
  ['.', 'res:db', false],
  ['ro:res:db', 'res:db', false],
  ['src/a', 'src/a/', false],
  ['ro:src/', 'src/a.ts', false],
  ['ro:src/', 'ro:src/a.ts', true],
  ['src/**/*.ts', 'src/x/a.ts', true],
  ['src/**/*.ts', 'ro:src/a.ts', true],
  ['src/**/*.ts', 'src/**/*.ts', true],
  ['src/**/*.ts', 'src/x/', false],
  ['src/*/**', 'src/x/', true],
  ['src/*', 'src/x/', false],
  ['src/a.ts', 'src/*.ts', false],
])('%s covers %s: %p', (held, wanted, answer) => expect(covers(claimOf(held), claimOf(wanted))).toBe(answer));

test('a name that only begins like a directory is not inside it', () => {
  expect(overlaps(claimOf('src/'), claimOf('src2/a.ts'))).toBe(false);
  expect(overlaps(claimOf('src/'), claimOf('SRC\\a.ts'))).toBe(true);
  expect(overlaps(claimOf('.'), claimOf('a'))).toBe(true);
});

test('only two readers share', () => {
  expect(compatible('read', 'read')).toBe(true);
  expect(compatible('read', 'write')).toBe(false);
  expect(compatible('write', 'read')).toBe(false);
  expect(compatible('write', 'write')).toBe(false);
});

describe('reducing the claims of one request', () => {
  const reduced = (...touches: string[]) => reduceClaims(touches.map(claimOf));

  test('one claim a node stays, the strongest, where the node was first named', () => {
    expect(reduced('ro:src', 'b', 'SRC', 'ro:b')).toEqual([{ ...claimOf('src') }, claimOf('b')]);
  });

  test('a tree brings its own spelling, and strength adds up over mode and kind', () => {
    expect(reduced('src', 'ro:Src/')).toEqual([claimOf('Src/')]);
    expect(reduced('ro:Src/', 'src')).toEqual([claimOf('Src/')]);
    expect(reduced('ro:src', 'ro:Src/')).toEqual([claimOf('ro:Src/')]);
  });

  test('claims inside one another all stay', () => {
    expect(reduced('src/', 'src/a.ts', 'ro:.')).toHaveLength(3);
  });

  test('reducing twice is reducing once', () => {
    const once = reduced('a', 'ro:a/', 'B', 'ro:b', './c');
    expect(reduceClaims(once)).toEqual(once);
  });
});
