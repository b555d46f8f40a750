/** What stands in a lane, first to last. */
export type Placed = { slug: string; priority: number };

/** The contract's bounds of a priority. */
const farthest = 1e9;

/**
 * `lane` with the slugs of `wanted` in that order: those not named stay where they are, and of the named ones as many
 * as the order allows. Answers a priority for each that moved, between its neighbours': one move is one row.
 */
export function arrange(lane: Placed[], wanted: string[]): Map<string, number> {
  const at = new Map(lane.map(({ slug }, position) => [slug, position]));
  const staying = longestRising(wanted.filter((slug) => at.has(slug)).map((slug) => ({ slug, at: at.get(slug) ?? 0 })));
  const order = lane.map(({ slug }) => slug).filter((slug) => staying.has(slug) || !wanted.includes(slug));
  // Those before the first that stays come directly before it; where none stays, all come last.
  let next = Math.max(
    order.findIndex((slug) => staying.has(slug)),
    staying.size === 0 ? order.length : 0,
  );
  for (const slug of wanted) {
    if (staying.has(slug)) next = order.indexOf(slug) + 1;
    else order.splice(next++, 0, slug);
  }
  const keys = new Map(
    lane.filter(({ slug }) => staying.has(slug) || !wanted.includes(slug)).map(({ slug, priority }) => [slug, priority]),
  );
  return between(order, keys) ?? renumbered(order, keys);
}

/** Priorities for those that have none; undefined where two neighbours leave no room: doubles halve about fifty times. */
function between(order: string[], keys: Map<string, number>): Map<string, number> | undefined {
  const given = new Map<string, number>();
  let low: number | undefined;
  let waiting: string[] = [];
  for (const slug of [...order, undefined]) {
    const high = slug === undefined ? undefined : keys.get(slug);
    if (slug !== undefined && high === undefined) {
      waiting.push(slug);
      continue;
    }
    let last = low ?? -Infinity;
    for (const [position, one] of waiting.entries()) {
      const priority = spaced(low, high, position + 1, waiting.length);
      if (priority <= last || priority >= (high ?? Infinity) || Math.abs(priority) > farthest) return undefined;
      given.set(one, (last = priority));
    }
    [low, waiting] = [high, []];
  }
  return given;
}

/** The nth of `count` new ones between two neighbours, in whole numbers at either end. */
function spaced(low: number | undefined, high: number | undefined, nth: number, count: number): number {
  if (low !== undefined && high !== undefined) return low + ((high - low) * nth) / (count + 1);
  if (high !== undefined) return Math.ceil(high) - 1 - (count - nth);
  return Math.floor(low ?? 0) + nth;
}

/** 1, 2, 3 …: only those that change. */
const renumbered = (order: string[], keys: Map<string, number>): Map<string, number> =>
  new Map(order.map((slug, position): [string, number] => [slug, position + 1]).filter(([slug, priority]) => keys.get(slug) !== priority));

/** A longest run of these, as they come, whose positions rise (patience sorting). */
function longestRising(items: Array<{ slug: string; at: number }>): Set<string> {
  type Link = { slug: string; at: number; before: Link | undefined };
  const ends: Link[] = [];
  for (const item of items) {
    const found = ends.findIndex((end) => end.at >= item.at);
    const length = found < 0 ? ends.length : found;
    ends[length] = { ...item, before: ends[length - 1] };
  }
  const rising = new Set<string>();
  for (let link = ends.at(-1); link; link = link.before) rising.add(link.slug);
  return rising;
}
