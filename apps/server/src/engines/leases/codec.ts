import { z } from 'zod';
import type { Beat, ClaimRequest, IndexChanges, IndexConflict, IndexedHold, IndexSnapshot } from './leases.ts';
import { byFence } from './order.ts';
import { meets } from './patterns.ts';

const heldBy = z.object({ id: z.string(), session: z.string(), label: z.string().nullable(), fence: z.number() });
const ends = z.enum(['released', 'lost', 'forced', 'handed_over']);
const clk = z.coerce.number();

/** What each script answers when there is an index. */
export const replies = {
  version: z.tuple([clk, z.string(), z.coerce.number()]),
  apply: z.tuple([clk]),
  load: z.tuple([clk, z.number()]),
  check: z.tuple([
    z.array(
      z.tuple([z.number(), z.enum(['above', 'same', 'below', 'compare', 'glob']), z.enum(['read', 'write']), z.string(), z.string()]),
    ),
    z.array(z.union([z.literal(1), z.array(z.string())])),
  ]),
  open: z.tuple([clk, z.number()]),
  beat: z.tuple([clk], z.union([z.enum(['unknown', 'condemned']), z.tuple([z.coerce.number(), z.array(z.string()), z.array(z.string())])])),
  stale: z.tuple([clk, z.array(z.string()), z.array(z.string())]),
  condemn: z.tuple([clk, z.enum(['done', 'condemned', 'alive', 'unknown'])]),
  list: z.tuple([clk, z.array(z.string())]),
};

/** Rows, as apply.lua reads them. A hold travels as JSON inside, for Lua would round a large fence. */
export const encodeChanges = (changes: IndexChanges): string =>
  JSON.stringify({
    claimsEnded: changes.claimsEnded.map(({ hold, mode, node }) => [hold, mode, node]),
    holdsEnded: changes.holdsEnded.map(({ id, as }) => [id, as]),
    sessionsClosed: changes.sessionsClosed,
    ...grants(changes),
  });

export const encodeSnapshot = (snapshot: IndexSnapshot): string => JSON.stringify(grants(snapshot));

const grants = ({ sessionsOpened, holdsGranted, claimsGranted }: IndexSnapshot) => ({
  sessionsOpened: sessionsOpened.map(({ id, ttlMs }) => [id, ttlMs]),
  holdsGranted: holdsGranted.map(({ id, session, label, fence }) => [id, session, JSON.stringify({ id, session, label, fence })]),
  claimsGranted: claimsGranted.map(({ hold, mode, node, display }) => [hold, mode, node, display]),
});

/** One conflict, or none where the patterns do not meet. */
export function decodeConflict(
  claims: ClaimRequest[],
  [claim, why, mode, member, hold]: z.infer<typeof replies.check>[0][number],
): IndexConflict[] {
  const [node = '', , , display = ''] = member.split('\0');
  const wanted = claims[claim];
  if ((why === 'compare' || why === 'glob') && !(wanted && meets(wanted, { node, display }))) return [];
  return [{ claim, why: why === 'compare' ? 'below' : why, node, display, mode, hold: decodeHold(hold) }];
}

export function decodeBeat(session: string, answer: z.infer<typeof replies.beat>[1] | undefined): Beat {
  if (answer === undefined) return { session, state: 'unknown' };
  if (typeof answer === 'string') return { session, state: answer };
  const [ttlMs, holds, lost] = answer;
  return {
    session,
    state: 'ok',
    ttlMs,
    holds: holds.map((member) => outward(decodeHold(member))).sort(byFence),
    lost: lost.map((member) => ({ ...outward(decodeHold(member)), as: ends.parse(member.split('\0')[1]) })).sort(byFence),
  };
}

/** The JSON is the last part of a member. */
const decodeHold = (member: string): IndexedHold => heldBy.parse(JSON.parse(member.slice(member.lastIndexOf('\0') + 1)));

const outward = ({ id, label, fence }: IndexedHold) => ({ id, label, fence });
