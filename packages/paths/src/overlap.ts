import type { Claim, ClaimMode } from './claim.ts';
import { isWithin } from './nodes.ts';

/**
 * Whether two claims can touch one path: the nodes are equal, or one lies above the other. Exact for trees;
 * a file above something is one path being both file and directory, and conflicts to be safe.
 */
export const overlaps = (a: Pick<Claim, 'node' | 'kind'>, b: Pick<Claim, 'node' | 'kind'>): boolean =>
  isWithin(a.node, b.node) || isWithin(b.node, a.node);

/** Readers share; a writer is alone. */
export const compatible = (a: ClaimMode, b: ClaimMode): boolean => a === 'read' && b === 'read';

/**
 * One claim for each node of a request, at the place of its first mention: write over read, tree over file.
 * Claims of different nodes stay, also one inside the other, so that shrinking gives back what was asked for.
 */
export function reduceClaims(claims: readonly Claim[]): Claim[] {
  const byNode = new Map<string, Claim>();
  for (const claim of claims) {
    const earlier = byNode.get(claim.node);
    byNode.set(claim.node, earlier ? stronger(earlier, claim) : claim);
  }
  return [...byNode.values()];
}

function stronger(earlier: Claim, later: Claim): Claim {
  const spelled = earlier.kind === 'file' && later.kind === 'tree' ? later : earlier;
  return { ...spelled, mode: compatible(earlier.mode, later.mode) ? 'read' : 'write' };
}
