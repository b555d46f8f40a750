import { covers, isGlob, overlaps } from '@nexus/paths';
import type { ClaimRequest, IndexedClaim } from './leases.ts';

const requested = ({ node, kind }: ClaimRequest) => ({ node, kind: isGlob(node) ? 'glob' : kind === 'tree' ? 'tree' : 'file' }) as const;
const standing = ({ node, display }: Pick<IndexedClaim, 'node' | 'display'>) =>
  ({ node, kind: isGlob(node) ? 'glob' : display === '.' || display.endsWith('/') ? 'tree' : 'file' }) as const;

/** What the index alone cannot tell: whether two claims meet of which at least one is a glob. Both engines ask this. */
export const meets = (wanted: ClaimRequest, held: Pick<IndexedClaim, 'node' | 'display'>): boolean =>
  overlaps(requested(wanted), standing(held));

/** Whether a held glob takes in all of a request that its mode suffices for. */
export const takesIn = (glob: string, wanted: ClaimRequest): boolean =>
  covers({ node: glob, kind: 'glob', mode: wanted.mode }, { ...requested(wanted), mode: wanted.mode });
