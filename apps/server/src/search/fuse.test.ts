import { expect, test } from 'bun:test';
import { fuse, pack, scoreOf, unpack } from './fuse.ts';

test('what both lists have comes before what one has, and their first places alternate', () => {
  const order = (words: string, meaning: string) =>
    fuse([...words], [...meaning])
      .map(({ id }) => id)
      .join('');
  expect(order('abcd', 'xyzd')).toBe('daxbycz');
  expect(order('abc', '')).toBe('abc');
  expect(order('', 'xyz')).toBe('xyz');
  expect(order('', '')).toBe('');
  expect(order('ab', 'ba')).toBe(
    order('ab', 'ba')
      .split('')
      .toSorted((a, b) => (a < b ? 1 : -1))
      .join(''),
  );
});

test('the score is the sum of one over sixty and the place', () => {
  expect(scoreOf({ words: 1, meaning: 2 })).toBeCloseTo(1 / 61 + 1 / 62, 12);
  expect(scoreOf({ words: 0, meaning: 50 })).toBeCloseTo(1 / 110, 12);
});

test('a packed list is the same list again, and nothing else is one', () => {
  const list = fuse(
    Array.from({ length: 50 }, () => Bun.randomUUIDv7()),
    Array.from({ length: 50 }, () => Bun.randomUUIDv7()),
  );
  expect(unpack(pack(list))).toEqual(list);
  expect(pack(list).length).toBeLessThan(2500);
  for (const bad of ['', 'x', pack(list).slice(4)]) expect(unpack(bad)).toBeUndefined();
});
