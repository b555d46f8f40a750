import { LRUCache } from 'lru-cache';
import { type ClaimInput, errorStatus } from '@nexus/contract';
import { type Claim, formatClaim, isListed, type ParsedClaims, parseClaims, reduceClaims } from '@nexus/paths';
import { AppError } from '../platform/errors.ts';
import type { Rules } from '../projects/index.ts';

/** What was read lately: agents ask for the same paths again and again. 0.3 µs for each, and not 2.7. */
const read = { insensitive: remember(), sensitive: remember() };

function remember() {
  return new LRUCache<string, ParsedClaims>({ max: 5000 });
}

function readTouch(input: ClaimInput, pathCase: Rules['pathCase']): ParsedClaims {
  if (typeof input !== 'string') return parseClaims(input, { pathCase });
  const known = read[pathCase].get(input);
  if (known) return known;
  const parsed = parseClaims(input, { pathCase });
  // Handed to many callers: whoever changed one would change it for all.
  if (parsed.ok) read[pathCase].set(input, { ok: true, claims: parsed.claims.map((claim) => Object.freeze(claim)) });
  return parsed;
}

/** Paths as callers write them → claims. Throws a 400 that names the entry. */
export function parseTouches(inputs: ClaimInput[], field: string, { pathCase }: Pick<Rules, 'pathCase'>): Claim[] {
  const claims = inputs.flatMap((input, position) => {
    const parsed = readTouch(input, pathCase);
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
