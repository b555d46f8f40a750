import { expect, test } from 'bun:test';
import { together } from './together.ts';

const doubling = (calls: number[][]) => async (numbers: number[]) => {
  calls.push(numbers);
  return new Map(numbers.map((number) => [number, 2 * number]));
};

test('who asks in one turn of the event loop shares a call', async () => {
  const calls: number[][] = [];
  const ask = together(doubling(calls), 100);
  const answers = await Promise.all([1, 2, 1].map(async (number) => (await ask(number)).get(number)));
  expect(answers).toEqual([2, 4, 2]);
  expect((await ask(3)).get(3)).toBe(6);
  expect(calls).toEqual([[1, 2], [3]]);
});

test('a call takes no more than it may', async () => {
  const calls: number[][] = [];
  const ask = together(doubling(calls), 2);
  const answers = await Promise.all([1, 2, 3, 4, 5].map(async (number) => (await ask(number)).get(number)));
  expect(answers).toEqual([2, 4, 6, 8, 10]);
  expect(calls).toEqual([[1, 2], [3, 4], [5]]);
});

test('a failure reaches all who asked, and nobody after them', async () => {
  let fails = true;
  const ask = together(async (numbers: number[]) => {
    if (fails) throw new Error('away');
    return numbers.length;
  }, 100);
  const outcomes = await Promise.allSettled([ask(1), ask(2)]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  fails = false;
  expect(await ask(1)).toBe(1);
});
