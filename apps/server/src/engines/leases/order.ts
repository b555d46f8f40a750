import { MAX_CONFLICTS, type IndexConflict } from './leases.ts';

/** The order of UTF-8 bytes, as Redis sorts. `<` compares UTF-16 units, which puts '😀' before '\uFF5E'. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return weight(left) - weight(right);
  }
  return a.length - b.length;
}

/** Halves of a pair stand for code points above all single units. */
const weight = (unit: number) => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);

/** Brings the conflicts into the port's order and cuts them to its limit. */
export const firstConflicts = (conflicts: IndexConflict[]): IndexConflict[] =>
  conflicts
    .sort((a, b) => a.claim - b.claim || compareBytes(a.node, b.node) || compareBytes(a.hold.id, b.hold.id) || compareBytes(a.mode, b.mode))
    .slice(0, MAX_CONFLICTS);

export const byFence = (a: { fence: number }, b: { fence: number }): number => a.fence - b.fence;
