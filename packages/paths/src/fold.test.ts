import { expect, test } from 'bun:test';
import { foldSegment } from './fold.ts';

/** The basic plane's letters and the cased ones above it; the rest of Unicode has no case and no accents. */
const codePoints = Array.from({ length: 0x1f000 }, (_, code) => code).filter((code) => code > 0x20 && (code < 0xd800 || code > 0xdfff));

test('folding twice is folding once, for every letter', () => {
  const moved = codePoints.filter((code) => {
    const key = foldSegment(`a${String.fromCodePoint(code)}b`, 'insensitive');
    return foldSegment(key, 'insensitive') !== key;
  });
  expect(moved).toEqual([]);
});

test('upper, lower, composed and decomposed spellings share one key, for every letter', () => {
  const apart = codePoints.filter((code) => {
    const segment = `a${String.fromCodePoint(code)}b`;
    const key = foldSegment(segment, 'insensitive');
    return [segment.toUpperCase(), segment.toLowerCase(), segment.normalize('NFD')].some(
      (other) => foldSegment(other, 'insensitive') !== key,
    );
  });
  expect(apart).toEqual([]);
});
