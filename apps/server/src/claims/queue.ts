import { type Claim, compatible, formatClaim, overlaps } from '@nexus/paths';
import { lanes } from '@nexus/contract';
import type { Queryable } from '../engines/database/database.ts';
import type { Change } from '../ledger/index.ts';
import type { SessionRef } from '../platform/actor.ts';
import { AppError } from '../platform/errors.ts';
import type { Rules } from '../projects/index.ts';
import { heldClaims } from './holds.store.ts';
import { InTheWay } from './obstruction.ts';
import { claimable, parseTouches } from './touches.ts';
import { closeWait, openWaits, openWaitsOf, passOver, type WaitEnd, type WaitRow } from './waits.store.ts';

/** A place in the queue, with what a grant of it would claim. */
export type Queued = { wait: WaitRow; claims: Claim[] };
/** What is asked for: paths, and the feature they are for. */
export type Wanted = { claims: Claim[]; featureId: string | null };

/** After so many later ones that overlap went first, it is its turn: a low priority waits longer, but not for ever. */
const MOST_PASSED = 3;

/** Who waits, first in line first. */
export async function queueOf(on: Queryable, projectId: string, rules: Rules): Promise<Queued[]> {
  return inOrder(await openWaits(on, projectId)).map((wait) => ({
    wait,
    claims: wait.feature ? claimable(wait.touches, rules) : parseTouches(wait.touches, 'paths', rules),
  }));
}

/** Ad hoc claims have no lane: they stand at the head of the one that features begin in. */
const rank = ({ feature }: WaitRow) => (feature ? [lanes.indexOf(feature.lane), feature.priority] : [lanes.indexOf('next'), 0]);

/** As work is offered (lane, then priority), then by arrival; but who was passed over often enough comes first. */
export const inOrder = (waits: WaitRow[]): WaitRow[] =>
  waits.toSorted((a, b) => {
    const [first, second] = [a.passed >= MOST_PASSED, b.passed >= MOST_PASSED];
    if (first !== second) return first ? -1 : 1;
    const [laneA = 0, priorityA = 0] = first ? [] : rank(a);
    const [laneB = 0, priorityB = 0] = first ? [] : rank(b);
    return laneA - laneB || priorityA - priorityB || a.seq - b.seq;
  });

/** Whether two who ask could not have it at the same time. */
export const collide = (a: Wanted, b: Wanted): boolean =>
  (a.featureId !== null && a.featureId === b.featureId) ||
  a.claims.some((one) => b.claims.some((other) => !compatible(one.mode, other.mode) && overlaps(one, other)));

export const wantedBy = ({ wait, claims }: Queued): Wanted => ({ claims, featureId: wait.feature?.id ?? null });

/** Who comes before this and could not have it beside it. `place`: the asker's own wait; without it, the asker comes last. */
export function aheadOf(queue: Queued[], wanted: Wanted, lineage: string[], place?: string): Queued[] {
  const at = queue.findIndex(({ wait }) => wait.id === place);
  return (at === -1 ? queue : queue.slice(0, at)).filter(
    (queued) => !lineage.includes(queued.wait.sessionId) && collide(wantedBy(queued), wanted),
  );
}

/** Throws when others wait in front. A wait that is over meanwhile gets nothing. */
export function requireTurn(queue: Queued[], wanted: Wanted, { lineage }: SessionRef, place?: string): void {
  if (place !== undefined && !queue.some(({ wait }) => wait.id === place)) throw new WaitOver();
  const ahead = aheadOf(queue, wanted, lineage, place);
  if (ahead.length > 0) throw queuedAhead(ahead);
}

/** The same for one more path: who held something in their way before they came may finish, for they wait for that anyway. */
export async function requireTurnToExtend(tx: Queryable, at: Change, queue: Queued[], claims: Claim[], { lineage }: SessionRef) {
  const others = await waitingBefore(tx, at.projectId, queue, claims, lineage);
  if (others.length > 0) throw queuedAhead(others);
}

/** Who would have to have theirs first, of those that want any of these. */
export async function waitingBefore(
  on: Queryable,
  projectId: string,
  queue: Queued[],
  claims: Claim[],
  lineage: string[],
): Promise<Queued[]> {
  const ahead = aheadOf(queue, { claims, featureId: null }, lineage);
  if (ahead.length === 0) return [];
  const held = await heldClaims(on, projectId, { sessions: lineage });
  return ahead.filter(
    ({ wait, claims: waited }) =>
      !held.some(
        ({ claim, grantedAt }) =>
          grantedAt < wait.since && collide({ claims: [claim], featureId: null }, { claims: waited, featureId: null }),
      ),
  );
}

/** A grant settles its session's own waits, for only who holds nothing waits; and whom it overtook has been passed over once more. */
export function settleWaits(tx: Queryable, at: Change, queue: Queued[], session: SessionRef, granted: Wanted & { fence: number }): void {
  const nodes = new Set(granted.claims.map(({ node }) => node));
  const isMine = ({ wait }: Queued) => session.lineage.includes(wait.sessionId) || wait.lineage.includes(session.id);
  for (const { wait, claims } of queue.filter(isMine)) {
    const came = wait.feature ? wait.feature.id === granted.featureId : claims.every(({ node }) => nodes.has(node));
    endWait(tx, at, wait, came ? 'granted' : 'left', { fence: came ? granted.fence : null, paths: claims.map(formatClaim) });
    if (!came) continue;
    const passed = queue.filter((other) => !isMine(other) && other.wait.seq < wait.seq && collide(wantedBy(other), granted));
    if (passed.length > 0)
      at.write(
        passOver(
          tx,
          passed.map((other) => other.wait.id),
        ),
      );
  }
}

/** Ends one place, and says so in the feed. */
export function endWait(
  tx: Queryable,
  at: Change,
  wait: WaitRow,
  as: WaitEnd,
  { fence = null, note = null, paths = wait.touches }: { fence?: number | null; note?: string | null; paths?: string[] } = {},
): void {
  const { id, sessionId, engineerId, engineerName, agent, feature } = wait;
  at.write(closeWait(tx, { id, paths, as, fence, note }));
  at.emit({
    type: 'wait_ended',
    ...(feature ? { feature: { id: feature.id, slug: feature.slug, title: feature.title } } : {}),
    of: { engineerId, engineerName, sessionId, agent },
    data: { waitId: id, sessionId, as, fence, note },
  });
}

/** Whoever leaves waits for nothing any more. */
export async function endWaitsOf(tx: Queryable, at: Change, sessionIds: string[], as: WaitEnd): Promise<void> {
  for (const wait of await openWaitsOf(tx, at.projectId, sessionIds)) endWait(tx, at, wait, as);
}

/** The wait that a grant was meant for has ended meanwhile. */
export class WaitOver extends Error {
  override name = 'WaitOver';
}

/** Somebody waits for it: whether they are alive is looked at outside the transaction. */
function queuedAhead(ahead: Queued[]): InTheWay {
  const [first] = ahead;
  const who =
    first && `${first.wait.engineerName} (${first.wait.agent}${first.wait.feature ? `, feature ${first.wait.feature.slug}` : ''})`;
  const more = ahead.length > 1 ? ` and ${ahead.length - 1} more` : '';
  return new InTheWay(
    ahead.map(({ wait }) => ({ sessionId: wait.sessionId, parkedAt: null })),
    () =>
      new AppError(
        'QUEUED_AHEAD',
        `${who}${more} waited for overlapping paths before you. Nothing was claimed. Wait as well (--wait), or pick other work (pick-next).`,
        {
          details: {
            waiting: ahead.map(({ wait, claims }) => ({
              waitId: wait.id,
              sessionId: wait.sessionId,
              engineerName: wait.engineerName,
              agent: wait.agent,
              featureSlug: wait.feature?.slug ?? null,
              paths: claims.map(formatClaim),
              since: wait.since,
            })),
          },
        },
      ),
  );
}
