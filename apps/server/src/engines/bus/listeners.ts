import type { BusTopic } from './bus.ts';

type Listener = (message: string) => void;

/** The subscribers within this process. They run after the publisher's own turn, so they never fail or delay it. */
export function createListeners({ onError }: { onError: (error: unknown) => void }) {
  const topics = new Map<BusTopic, Set<{ listener: Listener }>>();

  function tell({ listener }: { listener: Listener }, message: string) {
    try {
      listener(message);
    } catch (error) {
      onError(error);
    }
  }

  return {
    deliver: (topic: BusTopic, message: string): void => {
      queueMicrotask(() => {
        for (const subscription of topics.get(topic) ?? []) tell(subscription, message);
      });
    },

    /** One listener added twice is told twice, and each answer ends one of the two. */
    add: (topic: BusTopic, listener: Listener): (() => void) => {
      const subscriptions = topics.get(topic) ?? new Set();
      topics.set(topic, subscriptions);
      const subscription = { listener };
      subscriptions.add(subscription);
      return () => void subscriptions.delete(subscription);
    },

    clear: () => topics.clear(),
  };
}
