/**
 * Runs tasks of one key at most `width` at a time, in the order asked; tasks of other keys run beside them.
 */
export function createLanes({ width }: { width: number }) {
  const lanes = new Map<string, { running: number; waiting: Array<() => void> }>();
  return async function inLane<T>(key: string, task: () => Promise<T>): Promise<T> {
    const lane = lanes.get(key) ?? { running: 0, waiting: [] };
    lanes.set(key, lane);
    if (lane.running < width) lane.running += 1;
    // Whoever leaves hands its place on, so nobody can slip in between.
    else await new Promise<void>((resolve) => lane.waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = lane.waiting.shift();
      if (next) next();
      else if (--lane.running === 0) lanes.delete(key);
    }
  };
}
