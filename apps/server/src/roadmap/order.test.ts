import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { arrange, type Placed } from './order.ts';

const lane = (...slugs: string[]): Placed[] => slugs.map((slug, at) => ({ slug, priority: at + 1 }));
const after = (before: Placed[], moved: Map<string, number>): string[] => {
  const now = new Map(before.map(({ slug, priority }) => [slug, priority]));
  for (const [slug, priority] of moved) now.set(slug, priority);
  return [...now].sort(([, a], [, b]) => a - b).map(([slug]) => slug);
};

describe('an order', () => {
  test('of one that moves writes one priority, between its neighbours', () => {
    expect([...arrange(lane('a', 'b', 'c', 'd'), ['a', 'd', 'b', 'c'])]).toEqual([['d', 1.5]]);
    expect([...arrange(lane('a', 'b', 'c', 'd'), ['b', 'c', 'd', 'a'])]).toEqual([['a', 5]]);
    expect([...arrange(lane('a', 'b', 'c', 'd'), ['d', 'a'])]).toEqual([['d', 0]]);
    expect([...arrange(lane('a', 'b'), ['a', 'b'])]).toEqual([]);
  });

  test('of newcomers puts them after the one that is named before them, or last', () => {
    expect(after(lane('a', 'b', 'c'), arrange(lane('a', 'b', 'c'), ['a', 'x', 'y']))).toEqual(['a', 'x', 'y', 'b', 'c']);
    expect(after(lane('a', 'b'), arrange(lane('a', 'b'), ['x', 'y']))).toEqual(['a', 'b', 'x', 'y']);
    expect([...arrange([], ['x', 'y'])]).toEqual([
      ['x', 1],
      ['y', 2],
    ]);
  });

  test('renumbers the lane where no number is left between two neighbours', () => {
    const tied = [
      { slug: 'a', priority: 1 },
      { slug: 'b', priority: 1 },
    ];
    expect([...arrange(tied, ['a', 'x', 'b'])]).toEqual([
      ['x', 2],
      ['b', 3],
    ]);
    expect([...arrange([{ slug: 'a', priority: 1e9 }], ['a', 'x'])]).toEqual([
      ['a', 1],
      ['x', 2],
    ]);
    let now = lane('a', 'b');
    for (let n = 0; n < 120; n += 1) {
      const moved = arrange(now, ['a', `n${n}`]);
      now = after(now, moved).map((slug) => ({ slug, priority: moved.get(slug) ?? now.find((one) => one.slug === slug)?.priority ?? NaN }));
      expect(now.slice(0, 2).map(({ slug }) => slug)).toEqual(['a', `n${n}`]);
    }
    expect(new Set(now.map(({ priority }) => priority)).size).toBe(122);
  });

  test('is as asked whatever the lane, and leaves the others as they stood', () => {
    const names = fc.uniqueArray(fc.integer({ min: 0, max: 30 }).map(String), { maxLength: 20 });
    fc.assert(
      fc.property(names, names, fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 20, maxLength: 20 }), (slugs, wanted, steps) => {
        let priority = 0;
        const before = slugs.map((slug, at) => ({ slug, priority: (priority += Math.abs(steps[at] ?? 1)) }));
        const moved = arrange(before, wanted);
        const found = after(before, moved);
        expect(found.filter((slug) => wanted.includes(slug))).toEqual(wanted);
        expect(found.filter((slug) => !wanted.includes(slug))).toEqual(slugs.filter((slug) => !wanted.includes(slug)));
      }),
      { numRuns: 500 },
    );
  });
});
