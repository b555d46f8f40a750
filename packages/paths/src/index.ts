export type { Claim, ClaimInput, ClaimKind, ClaimMode, PathCase } from './claim.ts';
export { ancestorsOf, compareNodes, isWithin, nodeDepth, subtreeRange } from './nodes.ts';
export { compatible, overlaps, reduceClaims } from './overlap.ts';
export { isListed } from './lists.ts';
export { formatClaim, parseClaim, type ParsedClaim } from './parse.ts';
export { maxPathBytes, maxSegmentBytes, maxSegments, pathErrorCodes, type PathErrorCode } from './refusals.ts';
