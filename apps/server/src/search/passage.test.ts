import { expect, test } from 'bun:test';
import { passage } from './passage.ts';

const found = (word: string) => `\u0002${word}\u0003`;
const filler = (words: number) => 'lorem ipsum '.repeat(words / 2);

test('a short text is shown whole, in one line', () => {
  expect(passage(`a ${found('hit')}\n\n  and more`)).toBe('a **hit** and more');
  expect(passage('nothing found')).toBe('nothing found');
  expect(passage('')).toBe('');
});

test('of a long text the passage with most of the found words is shown', () => {
  const shown = passage(`${found('one')} ${filler(60)} ${found('two')} and ${found('three')} ${filler(60)}`);
  expect(shown).toMatch(/^… .*\*\*two\*\* and \*\*three\*\*.* …$/);
  expect(shown).not.toContain('one');
  expect(passage(`${found('one')} ${filler(80)}`)).toMatch(/^\*\*one\*\* lorem.* …$/);
});

test('what is cut is cut between words, and a word of any length comes to an end', () => {
  expect(passage(`${'x'.repeat(500)} ${found('y'.repeat(500))}`)).toMatch(/^… \*\*y+\*\*( …)?$/);
  expect(passage(filler(100))).toMatch(/(lorem|ipsum) …$/);
});
