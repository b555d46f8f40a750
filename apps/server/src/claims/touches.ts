import { type ClaimInput, errorStatus } from '@nexus/contract';
import { type Claim, formatClaim, isListed, parseClaims, reduceClaims } from '@nexus/paths';
import { AppError } from '../platform/errors.ts';
import type { Rules } from '../projects/index.ts';

/** Paths as callers write them → claims. Throws a 400 that names the entry. */
export function parseTouches(inputs: ClaimInput[], field: string, { pathCase }: Pick<Rules, 'pathCase'>): Claim[] {
  const claims = inputs.flatMap((input, position) => {
    const parsed = parseClaims(input, { pathCase });
    if (parsed.ok) return parsed.claims;
    const code = parsed.code in errorStatus ? parsed.code : 'VALIDATION_ERROR';
    throw new AppError(code, parsed.message, {
      details: { field: `${field}[${position}]`, value: typeof input === 'string' ? input : input.path },
    });
  });
  return reduceClaims(claims);
}

export const formatTouches = (claims: Claim[]): string[] => claims.map(formatClaim);

/** What holding a feature claims: its touches, without the paths that are only claimed at the edit. */
export const claimable = (touches: string[], rules: Rules): Claim[] =>
  parseTouches(touches, 'touches', rules).filter(
    ({ kind, node }) => kind === 'tree' || kind === 'resource' || !isListed(node, rules.brief),
  );
