import type { Claim, ClaimMode } from './claim.ts';
import { baseOf, globsMeet } from './glob.ts';
import { isWithin } from './nodes.ts';

type Area = Pick<Claim, 'node' | 'kind'>;

/**
 * Whether two claims can touch one path. Exact, but for a file that lies above something, or above what a glob matches:
 * that is one path being both file and directory, and conflicts to be safe.
 */
export function overlaps(a: Area, b: Area): boolean {
  const [left, right] = [baseOf(a.node), baseOf(b.node)];
  if (!isWithin(left, right) && !isWithin(right, left)) return false;
  if (a.kind !== 'glob' && b.kind !== 'glob') return true;
  return globsMeet(asGlob(a), asGlob(b)) || isFileAboveGlob(a, b) || isFileAboveGlob(b, a);
}

const asGlob = ({ node, kind }: Area): string => (kind === 'tree' ? `${node}/**` : node);
const isFileAboveGlob = (file: Area, glob: Area): boolean => file.kind === 'file' && isWithin(baseOf(glob.node), file.node);

/** Whether everything that `wanted` can touch is what `held` can touch. True is certain; between two globs only equal ones count. */
export function covers(held: Pick<Claim, 'node' | 'kind' | 'mode'>, wanted: Pick<Claim, 'node' | 'kind' | 'mode'>): boolean {
  if (held.mode !== 'write' && !compatible(held.mode, wanted.mode)) return false;
  if (held.kind === 'tree') return isWithin(baseOf(wanted.node), held.node);
  // A resource is taken in by itself, and one of a machine by that of all machines.
  if (held.kind === 'resource') return wanted.kind === 'resource' && isWithin(wanted.node, held.node);
  if (held.node === wanted.node) return held.kind === wanted.kind;
  if (held.kind === 'file' || wanted.kind === 'glob') return false;
  // A last `**` takes in all that lies below a match.
  return globsMeet(held.node, wanted.node) && (wanted.kind === 'file' || held.node.endsWith('/**'));
}

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
