/** Chances that a seed repeats. */
export type Random = {
  /** From 0 to 1, which is left out. */
  next: () => number;
  /** A whole number from 0 to `bound`, which is left out. */
  below: (bound: number) => number;
  chance: (probability: number) => boolean;
  pick: <T>(from: readonly T[]) => T;
  shuffled: <T>(all: readonly T[]) => T[];
};

/** Mulberry32: 32 bits of state are enough to tell runs apart, and it fits here. `salt` gives each suite chances of its own. */
export function createRandom(seed: number, salt = ''): Random {
  let state = Number(Bun.hash.wyhash(`${seed} ${salt}`) & 0xffffffffn);
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (bound: number) => Math.floor(next() * bound);
  const pick = <T>(from: readonly T[]): T => {
    if (from.length === 0) throw new RangeError('There is nothing to pick from.');
    return from[below(from.length)] as T;
  };
  return {
    next,
    below,
    pick,
    chance: (probability) => next() < probability,
    shuffled: (all) => {
      const left = [...all];
      return all.map(() => left.splice(below(left.length), 1)[0] as (typeof all)[number]);
    },
  };
}
