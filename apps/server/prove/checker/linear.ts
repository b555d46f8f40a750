/** One call on one object: `from` when it was made, `to` when it was answered; Infinity if never. */
export type Call<S> = {
  from: number;
  to: number;
  /** Who made it: one's own calls take place in the order in which one made them. */
  by: string;
  /** It never changes the state. */
  reads?: true;
  /** The state after it, if it can take place in this state with the answer it got; undefined if it cannot. */
  step: (state: S) => S | undefined;
  name: string;
};

/** `undecided`: there were more orders than it looks at. */
export type Verdict = { is: 'linear' | 'undecided' } | { is: 'broken'; stuckAt: string };
const MOST_STATES = 300_000;

/**
 * Is there an order of the calls in which each takes place between its call and its answer, and each answer is right?
 * Wing and Gong's search, with Lowe's memory of where it has been. Calls that were never answered may be left out.
 */
export function linearize<S>(calls: Call<S>[], start: S, keyOf: (state: S) => string): Verdict {
  const all = [...calls].sort((a, b) => a.from - b.from);
  const done = new Uint8Array(all.length);
  const seen = new Set<bigint>();
  const mustHappen = all.filter(({ to }) => to !== Infinity).length;
  let furthest = { count: 0, name: all[0]?.name ?? '' };

  /** Those that may come next: called before any other open one was answered. */
  function candidates(first: number): number[] {
    const found: number[] = [];
    const seenOf = new Set<string>();
    let earliest = Infinity;
    for (let position = first; position < all.length; position += 1) {
      const call = all[position];
      if (!call || done[position]) continue;
      if (call.from > earliest) break;
      earliest = Math.min(earliest, call.to);
      if (seenOf.has(call.by)) continue;
      // One that was never answered may come whenever it likes.
      if (call.to !== Infinity) seenOf.add(call.by);
      found.push(position);
    }
    // The one answered first is most likely the first.
    return found.sort((a, b) => (all[a]?.to ?? 0) - (all[b]?.to ?? 0));
  }

  type Frame = { state: S; first: number; reach: number; count: number; next: number[]; taken: number | undefined };
  const frame = (state: S, first: number, reach: number, count: number): Frame => {
    const next = candidates(first);
    // One that fits and never changes anything may come now: no other order of it could help anybody.
    const harmless = next.find((position) => {
      const call = all[position];
      return call?.reads && call.to !== Infinity && call.step(state) !== undefined;
    });
    return { state, first, reach, count, next: harmless === undefined ? next : [harmless], taken: undefined };
  };
  const stack: Frame[] = [frame(start, 0, -1, 0)];
  while (stack.length > 0) {
    const top = stack.at(-1) as Frame;
    if (top.count === mustHappen) return { is: 'linear' };
    if (top.taken !== undefined) done[top.taken] = 0;
    const position = top.next.shift();
    top.taken = undefined;
    if (position === undefined) {
      stack.pop();
      continue;
    }
    const call = all[position] as Call<S>;
    const state = call.step(top.state);
    if (state === undefined) continue;
    done[position] = 1;
    top.taken = position;
    let first = top.first;
    while (done[first]) first += 1;
    const count = top.count + (call.to === Infinity ? 0 : 1);
    if (count > furthest.count) furthest = { count, name: call.name };
    // Where one has been is the state, and which calls beyond the first open one are done.
    const reach = Math.max(top.reach, position);
    const key = Bun.hash.wyhash(`${first} ${done.subarray(first, reach + 1).join('')} ${keyOf(state)}`);
    if (seen.has(key)) continue;
    seen.add(key);
    if (seen.size > MOST_STATES) return { is: 'undecided' };
    stack.push(frame(state, first, reach, count));
  }
  return { is: 'broken', stuckAt: `after ${furthest.count} of ${mustHappen} calls, the last of them ${furthest.name}` };
}
