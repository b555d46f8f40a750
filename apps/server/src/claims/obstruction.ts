import type { Conflict } from '@nexus/contract';
import type { Claim } from '@nexus/paths';
import { AppError } from '../platform/errors.ts';
import type { Hold, Obstacle } from './holds.store.ts';

/** Thrown inside a transaction; outside, its holders are looked at: a dead one makes way, a live one is named in a 409. */
export class InTheWay extends Error {
  override name = 'InTheWay';
  readonly holders: Array<Pick<Hold, 'sessionId' | 'parkedAt'>>;
  /** What was asked for and is held. */
  readonly paths: Claim[];
  /** The answer when they stay. `deadlines`: milliseconds left to each live session. */
  readonly refusal: (deadlines: Map<string, number>) => AppError;
  constructor(
    holders: Array<Pick<Hold, 'sessionId' | 'parkedAt'>>,
    refusal: (deadlines: Map<string, number>) => AppError,
    paths: Claim[] = [],
  ) {
    super('Something is held by others.');
    this.holders = holders;
    this.refusal = refusal;
    this.paths = paths;
  }
}

export const inTheWay = (obstacles: Obstacle[]) =>
  new InTheWay(
    obstacles.map(({ held }) => held.hold),
    (deadlines) => alreadyClaimed(obstacles.map((obstacle) => toConflict(obstacle, deadlines))),
    [...new Set(obstacles.map(({ wanted }) => wanted))],
  );

export function toConflict({ wanted, held }: Obstacle, deadlines: Map<string, number>): Conflict {
  return {
    filePath: wanted.display,
    heldPath: held.claim.display,
    mode: held.claim.mode,
    claimedBy: holderOf(held.hold, deadlines, held.grantedAt),
  };
}

export function holderOf(hold: Hold, deadlines: Map<string, number>, claimedAt = hold.grantedAt): Conflict['claimedBy'] {
  return {
    engineerId: hold.engineerId,
    engineerName: hold.engineerName,
    sessionId: hold.sessionId,
    agent: hold.agent,
    featureId: hold.featureId,
    featureSlug: hold.featureSlug,
    fence: hold.fence,
    claimedAt,
    expiresAt: hold.parkedAt ? null : deadlineOf(deadlines.get(hold.sessionId)),
    parked: hold.parkedAt !== null,
    ...(hold.landing ? { landing: { commit: hold.landing.commit } } : {}),
  };
}

export const deadlineOf = (msLeft: number | undefined) => (msLeft === undefined ? null : new Date(Date.now() + msLeft).toISOString());

export function alreadyClaimed(conflicts: Conflict[]): AppError {
  const [first] = conflicts;
  const what = first && (/[*?]/.test(first.heldPath) ? `${first.filePath} meets ${first.heldPath}, which` : first.heldPath);
  const who =
    first &&
    `${what} is held by ${first.claimedBy.engineerName} (${first.claimedBy.agent}${first.claimedBy.featureSlug ? `, feature ${first.claimedBy.featureSlug}` : ''})`;
  const more = conflicts.length > 1 ? `, and ${conflicts.length - 1} more` : '';
  return new AppError('FILE_ALREADY_CLAIMED', `${who}${more}. Nothing was claimed. Pick other work (pick-next), or wait for it (--wait).`, {
    details: { conflicts },
  });
}
