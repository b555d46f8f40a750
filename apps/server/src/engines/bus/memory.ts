import type { Bus } from './bus.ts';
import { createListeners } from './listeners.ts';

/** The bus of one process. `onError` gets what a listener throws. */
export function createMemoryBus({ onError = () => {} }: { onError?: (error: unknown) => void } = {}): Bus {
  const listeners = createListeners({ onError });
  return {
    publish: listeners.deliver,
    subscribe: listeners.add,
    async ping() {},
    async close() {
      listeners.clear();
    },
  };
}
