import { formatClaim, type Claim, reduceClaims } from '@nexus/paths';
import { MAX_CLAIMS_PER_HOLD, MAX_GLOBS_PER_HOLD, MAX_GLOBS_PER_PROJECT } from '@nexus/contract';
import type { Queryable } from '../engines/database/database.ts';
import type { HoldEnd } from '../engines/leases/leases.ts';
import type { Change } from '../ledger/index.ts';
import type { SessionRef } from '../platform/actor.ts';
import { AppError } from '../platform/errors.ts';
import { claimsOf, endClaims, endHolds, heldGlobs, type Hold, insertClaims, insertHold, type Obstacle, obstacles } from './holds.store.ts';
import { inTheWay } from './obstruction.ts';

type FeatureOfHold = { id: string; slug: string; title: string };
export type Granted = { id: string; fence: number; paths: string[] };

/** Grants all claims to the session under a new fence. The caller has found no obstacle under this same lock. */
export function grant(
  tx: Queryable,
  at: Change,
  {
    session,
    feature,
    claims,
    reason,
    landing,
  }: {
    session: Pick<SessionRef, 'id' | 'engineerId'>;
    feature: FeatureOfHold | null;
    claims: Claim[];
    reason?: string | undefined;
    /** The feature is done: this hold does not stand for it, and keeps its paths, parked, until the commit has landed. */
    landing?: { commit: string | null };
  },
): Granted {
  requireFew(claims, 'paths');
  const hold = { id: Bun.randomUUIDv7(), fence: at.nextFence() };
  const paths = claims.map(formatClaim);
  at.write(
    insertHold(tx, {
      ...hold,
      projectId: at.projectId,
      sessionId: session.id,
      engineerId: session.engineerId,
      featureId: landing ? null : (feature?.id ?? null),
      reason: reason ?? null,
      landing: landing && feature ? { featureId: feature.id, commit: landing.commit } : null,
      ver: at.version(),
    }),
  );
  if (claims.length > 0) at.write(insertClaims(tx, { id: hold.id, projectId: at.projectId }, claims, at.version()));
  if (hasGlob(claims)) at.write(requireRoom(tx, at.projectId));
  at.index.holdsGranted.push({ id: hold.id, session: session.id, label: landing ? null : (feature?.slug ?? null), fence: hold.fence });
  for (const { node, mode, display } of claims) at.index.claimsGranted.push({ hold: hold.id, node, mode, display });
  if (claims.length > 0) at.emit({ type: 'files_claimed', ...(feature ? { feature } : {}), data: { paths, fence: hold.fence } });
  return { ...hold, paths };
}

/**
 * Adds claims to an open hold, all or none; a claim that it has in a weaker form is replaced. Answers the new paths.
 * `mayAdd` throws when it is not the session's turn.
 */
export async function extend(
  tx: Queryable,
  at: Change,
  hold: Hold,
  wanted: Claim[],
  lineage: string[],
  mayAdd: (added: Claim[]) => Promise<void>,
): Promise<string[]> {
  const [held, inWay] = await Promise.all([claimsOf(tx, [hold.id]), obstacles(tx, at.projectId, wanted, lineage)]);
  if (inWay.length > 0) throw inTheWay(inWay);
  const byNode = new Map(held.map((claim) => [claim.node, claim]));
  const merged = wanted.map((claim) => strongest(byNode.get(claim.node), claim));
  const added = merged.filter((claim) => !sameForm(claim, byNode.get(claim.node)));
  const [replaced, fresh] = [added.filter(({ node }) => byNode.has(node)), added.filter(({ node }) => !byNode.has(node))];
  requireFew([...held, ...fresh], 'paths');
  if (added.length === 0) return [];
  await mayAdd(added);
  if (replaced.length > 0)
    await giveBack(
      tx,
      at,
      hold,
      replaced.map(({ node }) => node),
    );
  await insertClaims(tx, hold, added, at.version());
  if (hasGlob(added)) at.write(requireRoom(tx, at.projectId));
  for (const { node, mode, display } of added) at.index.claimsGranted.push({ hold: hold.id, node, mode, display });
  return added.map(formatClaim);
}

/** Ends some claims of a hold; the hold and its fence stay. Answers the paths given back. */
export async function shrink(tx: Queryable, at: Change, hold: Hold, nodes: string[]): Promise<string[]> {
  return nodes.length === 0 ? [] : giveBack(tx, at, hold, nodes);
}

async function giveBack(tx: Queryable, at: Change, hold: Hold, nodes: string[]): Promise<string[]> {
  const ended = await endClaims(tx, [hold.id], at.version(), nodes);
  for (const { node, mode } of ended) at.index.claimsEnded.push({ hold: hold.id, node, mode });
  return ended.map(formatClaim);
}

/** Ends holds and all their claims. Answers the freed paths of each hold. */
export async function endAll(tx: Queryable, at: Change, ended: Array<Pick<Hold, 'id'>>, as: HoldEnd): Promise<Map<string, string[]>> {
  const ids = ended.map(({ id }) => id);
  return endKnown(tx, at, ids, await claimsOf(tx, ids), as);
}

/** The same where the claims were read under this lock. */
export function endKnown(
  tx: Queryable,
  at: Change,
  ids: string[],
  held: Array<Claim & { holdId: string }>,
  as: HoldEnd,
): Map<string, string[]> {
  const paths = new Map<string, string[]>(ids.map((id) => [id, []]));
  if (ids.length === 0) return paths;
  if (held.length > 0) at.write(endClaims(tx, ids, at.version()));
  at.write(endHolds(tx, ids, at.version(), as));
  for (const claim of held) {
    at.index.claimsEnded.push({ hold: claim.holdId, node: claim.node, mode: claim.mode });
    paths.get(claim.holdId)?.push(formatClaim(claim));
  }
  for (const id of ids) at.index.holdsEnded.push({ id, as });
  return paths;
}

/** What a hold has at a node and what it asks for there, in one: asking never weakens. */
const strongest = (held: Claim | undefined, claim: Claim): Claim => (held && reduceClaims([held, claim])[0]) ?? claim;

export const sameForm = (a: Claim, b: Claim | undefined) => b !== undefined && a.kind === b.kind && a.mode === b.mode;

const hasGlob = (claims: Claim[]): boolean => claims.some(({ kind }) => kind === 'glob');

/** Which limit of a hold these would break. */
export function excessOf(claims: Claim[]): string | undefined {
  if (claims.length > MAX_CLAIMS_PER_HOLD) return `${MAX_CLAIMS_PER_HOLD} paths`;
  return claims.filter(({ kind }) => kind === 'glob').length > MAX_GLOBS_PER_HOLD ? `${MAX_GLOBS_PER_HOLD} patterns` : undefined;
}

/** Refuses what no hold can have, also where it is only said what will be claimed. */
export function requireFew(claims: Claim[], field: string): void {
  const most = excessOf(claims);
  if (most === undefined) return;
  throw new AppError('VALIDATION_ERROR', `A hold has at most ${most}. Claim a directory (src/auth/) instead of what is in it.`, {
    details: { field },
  });
}

/** Whether the project may hold the patterns among these as well. */
export const hasRoom = async (tx: Queryable, projectId: string, claims: Claim[]): Promise<boolean> =>
  !hasGlob(claims) || (await heldGlobs(tx, projectId)) + claims.filter(({ kind }) => kind === 'glob').length <= MAX_GLOBS_PER_PROJECT;

/** After the claims were inserted, under the project's lock: it throws, and the commit does not take place. */
async function requireRoom(tx: Queryable, projectId: string): Promise<void> {
  if ((await heldGlobs(tx, projectId)) <= MAX_GLOBS_PER_PROJECT) return;
  throw new AppError(
    'TOO_MANY_GLOBS',
    `At most ${MAX_GLOBS_PER_PROJECT} patterns are held in a project at one time. Nothing was claimed: claim directories or files instead, or wait.`,
  );
}

/** Throws what stands in the way, all of it. */
export function requireFree(found: Obstacle[]): void {
  if (found.length > 0) throw inTheWay(found);
}
