/** Runs tasks of one key one after another, in the order asked; tasks of other keys run beside them. */
export function createMutex() {
  const tails = new Map<string, Promise<unknown>>();
  return function exclusive<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = tails.get(key) ?? Promise.resolve();
    const run = before.then(task, task);
    const tail = run.then(
      () => undefined,
      () => undefined,
    );
    tails.set(key, tail);
    void tail.then(() => {
      if (tails.get(key) === tail) tails.delete(key);
    });
    return run;
  };
}
