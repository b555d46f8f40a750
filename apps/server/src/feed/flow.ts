/** Many calls, one run: calls made during a run share the next one, so each answer began after its call. */
export function coalesced<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const start = (): Promise<T> => {
    running = run().finally(() => (running = undefined));
    return running;
  };
  return () => {
    if (!running) return start();
    next ??= running.then(again, again);
    return next;
  };
  function again() {
    next = undefined;
    return running ?? start();
  }
}

/** At most `width` tasks at a time, the rest in the order asked. */
export function createGate(width: number) {
  let free = width;
  const waiting: (() => void)[] = [];
  return async function pass<T>(task: () => Promise<T>): Promise<T> {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
