export { claimKinds, type Claim, type ClaimInput, type ClaimKind, type ClaimMode, type PathCase } from './claim.ts';
export { baseOf, isGlob } from './glob.ts';
export { ancestorsOf, compareNodes, isWithin, nodeDepth, subtreeRange } from './nodes.ts';
export { compatible, covers, overlaps, reduceClaims } from './overlap.ts';
export { isListed } from './lists.ts';
export { formatClaim, parseClaim, parseClaims, type ParsedClaim, type ParsedClaims } from './parse.ts';
export { maxResourceLength, resourceNode } from './resource.ts';
export { maxPathBytes, maxSegmentBytes, maxSegments, pathErrorCodes, type PathErrorCode } from './refusals.ts';
