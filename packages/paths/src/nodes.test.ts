import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { ancestorsOf, compareNodes, isWithin, nodeDepth, subtreeRange } from './nodes.ts';

const node = fc
  .array(fc.constantFrom('a', 'b', 'ab', 'a0', 'a!', 'a-b', '\ue000', '\uffff', '\u{10000}', '\u{1f600}'), { maxLength: 4 })
  .map((segments) => segments.map((segment) => `/${segment}`).join(''));

test('depth and ancestors of a node', () => {
  expect([nodeDepth(''), nodeDepth('/a'), nodeDepth('/a/b')]).toEqual([0, 1, 2]);
  expect(ancestorsOf('')).toEqual([]);
  expect(ancestorsOf('/a')).toEqual(['']);
  expect(ancestorsOf('/a/b/c')).toEqual(['', '/a', '/a/b']);
});

test('within goes by whole segments', () => {
  expect(isWithin('/a/b', '/a')).toBe(true);
  expect(isWithin('/a', '/a')).toBe(true);
  expect(isWithin('/ab', '/a')).toBe(false);
  expect(isWithin('/a', '/a/b')).toBe(false);
  expect(isWithin('/a', '')).toBe(true);
});

test('a node is within exactly its ancestors and itself', () => {
  fc.assert(
    fc.property(node, node, (a, b) => isWithin(a, b) === (a === b || ancestorsOf(a).includes(b))),
    { numRuns: 5_000 },
  );
});

test('the subtree range holds exactly what is strictly below, in byte order', () => {
  expect(subtreeRange('')).toEqual({ lo: '/', hi: '0' });
  fc.assert(
    fc.property(node, node, (a, b) => {
      const { lo, hi } = subtreeRange(b);
      return (compareNodes(lo, a) <= 0 && compareNodes(a, hi) < 0) === (a !== b && isWithin(a, b));
    }),
    { numRuns: 5_000 },
  );
});

test('nodes are ordered as their UTF-8 bytes are', () => {
  const [below, above] = ['/\uffff', '/\u{10000}'];
  expect([below, above].toSorted()).toEqual([above, below]);
  expect([above, below].toSorted(compareNodes)).toEqual([below, above]);
  const text = fc.oneof(node, fc.string({ unit: 'binary' }));
  fc.assert(
    fc.property(text, text, (a, b) => Math.sign(compareNodes(a, b)) === Buffer.compare(Buffer.from(a), Buffer.from(b))),
    { numRuns: 10_000 },
  );
});
