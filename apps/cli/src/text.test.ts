import { expect, test } from 'bun:test';
import { clean, cleanBlock, fromNow, safeJson, shortId, table } from './text.ts';

test('text of others cannot drive the terminal', () => {
  expect(clean('a\u001b[31mred\u001b]0;title\u0007\u009b2J')).toBe('a[31mred]0;title2J');
  expect(clean('safe\u202Etxt.exe')).toBe('safetxt.exe');
  expect(clean('two\nlines\r\nhere')).toBe('two lines here');
  expect(cleanBlock('one\n\ttwo\r\nthree\rfour\u0008')).toBe('one\n\ttwo\nthreefour');
});

test('JSON for the terminal escapes what would drive it and reads back unchanged', () => {
  const value = { title: 'a\u009b2J\u202e\u007f\u001b' };
  const text = safeJson(value);
  expect(text).toBe('{"title":"a\\u009b2J\\u202e\\u007f\\u001b"}');
  expect(JSON.parse(text)).toEqual(value);
});

test('a table lines wide characters up and is cut to the terminal only', () => {
  expect(
    table(
      ['A', 'B'],
      [
        ['日本', 'x'],
        ['ab', 'y'],
      ],
    ),
  ).toBe('A     B\n日本  x\nab    y');
  expect(table(['A'], [['abcdefgh']], 5)).toBe('A\nabcd…');
});

test('sessions that began in the same minute have different short ids', () => {
  expect(shortId('01a1fdb0-09d2-746f-a002-f7edd323e6f7')).not.toBe(shortId('01a1fdb0-09d2-746f-a002-f7edd323e6f8'));
});

test('times are told from now', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(fromNow('2026-01-01T00:01:27Z', now)).toBe('in 87 s');
  expect(fromNow('2025-12-31T23:50:00Z', now)).toBe('10 min ago');
});
