import { expect, test } from 'bun:test';
import { busSuite, waitFor } from './bus.suite.ts';
import { createMemoryBus } from './memory.ts';

busSuite('bus in process', async () => {
  const bus = createMemoryBus();
  return [bus, bus];
});

test('what a listener throws is handed to onError', async () => {
  const errors: unknown[] = [];
  const bus = createMemoryBus({ onError: (error) => errors.push(error) });
  bus.subscribe('feed', () => {
    throw new Error('broken listener');
  });
  bus.publish('feed', '');
  await waitFor(() => errors.length === 1);
  expect(String(errors[0])).toBe('Error: broken listener');
});
