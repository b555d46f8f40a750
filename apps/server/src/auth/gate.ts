import { unavailable } from '../platform/errors.ts';

/** Lets so many tasks run and so many wait; one more is told to come back. */
export function createGate({ running, waiting }: { running: number; waiting: number }) {
  let active = 0;
  const queue: Array<() => void> = [];
  return async function pass<T>(task: () => Promise<T>): Promise<T> {
    if (active >= running) {
      if (queue.length >= waiting) throw unavailable('Key checking');
      await new Promise<void>((resolve) => queue.push(resolve));
    }
    active += 1;
    try {
      return await task();
    } finally {
      active -= 1;
      queue.shift()?.();
    }
  };
}
