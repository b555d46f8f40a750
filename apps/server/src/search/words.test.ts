import { expect, test } from 'bun:test';
import { fragmentsLookedFor, fragmentsOf, nearest, piecesOf, slips, spellingsIn } from './words.ts';

test('identifiers and paths are found by their pieces', () => {
  for (const [text, pieces] of [
    ['createPick', 'create Pick'],
    ['src/auth/login.ts', 'src auth login ts'],
    ['HTTPServer of max_idle_time', 'HTTPServer max idle time'.replace('HTTPServer', 'HTTP Server')],
    ['X-Nexus-Session: v2', 'X Nexus Session'],
    ['plain words, and more.', ''],
    ['lesbarÄndern', 'lesbar Ändern'],
  ] as const)
    expect([text, piecesOf(text)]).toEqual([text, pieces]);
});

test('slips are counted as typists make them', () => {
  for (const [one, other, count] of [
    ['', '', 0],
    ['', 'abc', 3],
    ['receive', 'recieve', 1],
    ['databas', 'databs', 1],
    ['migrat', 'migart', 1],
    ['lease', 'lese', 1],
    ['fence', 'fents', 2],
    ['ca', 'abc', 3],
  ] as const)
    expect([one, other, slips(one, other)]).toEqual([one, other, count]);
});

test('a word and what it is misspelled as have a fragment in common', () => {
  for (const [right, wrong] of [
    ['connection', 'conection'],
    ['connection', 'connnection'],
    ['connection', 'konnection'],
    ['connection', 'cnonection'],
    ['migrations', 'migratoins'],
    ['authentication', 'authentifcation'],
    ['lease', 'laese'],
  ] as const)
    expect([wrong, fragmentsLookedFor(wrong).some((fragment) => fragmentsOf(right).includes(fragment))]).toEqual([wrong, true]);
  expect(fragmentsLookedFor('abc')).toEqual([]);
});

test('what may be misspelled are words of letters', () => {
  expect(spellingsIn('The FENCE of a Hold2, größer than foo_barbaz: x1 fence')).toEqual(['fence', 'größer', 'than', 'barbaz']);
});

test('the nearest spellings come alone, the most used first', () => {
  const known = (...words: Array<[string, number]>) => words.map(([spelling, docs]) => ({ spelling, word: spelling, docs }));
  const named = (typed: string, ...words: Array<[string, number]>) => nearest(typed, known(...words), 2).map(({ spelling }) => spelling);
  expect(named('migrart', ['migrat', 9], ['migrant', 12], ['mitigat', 50])).toEqual(['migrant', 'migrat']);
  expect(named('fort', ['sort', 1], ['forth', 2], ['ford', 9])).toEqual(['ford', 'forth']);
  expect(named('nothing', ['migrat', 9])).toEqual([]);
});
