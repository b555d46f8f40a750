import type { Claim } from '@nexus/paths';
import { claimsOf, endAll, type Hold, shrink } from '../claims/index.ts';
import type { Queryable } from '../engines/database/database.ts';
import type { Change } from '../ledger/index.ts';
import { type Answer, answerRequests, openIn, type RequestRow } from './requests.store.ts';

/** Ends claims of a hold, and answers all who asked for them. */
export async function release(tx: Queryable, at: Change, hold: Hold, given: Claim[], as: 'yielded', note: string | null) {
  const nodes = given.map(({ node }) => node);
  const released = await shrink(tx, at, hold, nodes);
  const of = { engineerId: hold.engineerId, engineerName: hold.engineerName, sessionId: hold.sessionId, agent: hold.agent };
  if (released.length > 0)
    at.emit({ type: 'files_released', ...featureOf(hold), of, data: { paths: released, fence: hold.fence, reason: as } });
  const meant = (await openIn(tx, at.projectId)).filter(({ holdId, node }) => holdId === hold.id && nodes.includes(node));
  await answer(tx, at, meant, as, note);
  if (!hold.featureId && (await claimsOf(tx, [hold.id])).length === 0) await endAll(tx, at, [hold], 'released');
  return { released, answered: meant.map(({ id }) => id) };
}

/** Answers requests, and says so in the feed. */
export async function answer(tx: Queryable, at: Change, meant: RequestRow[], as: Answer, note: string | null): Promise<void> {
  if (meant.length === 0) return;
  await answerRequests(
    tx,
    meant.map(({ id }) => id),
    as,
    note,
  );
  for (const { id, path, heldPath, askedBy, holder } of meant) {
    const data = { requestId: id, path, heldPath, answer: as, note, asker: askedBy?.sessionId ?? null, holder: holder.sessionId };
    at.emit({ type: 'request_answered', data });
  }
}

/** Whoever leaves asks for nothing any more. */
export async function withdraw(tx: Queryable, at: Change, sessionIds: string[]): Promise<void> {
  const open = await openIn(tx, at.projectId);
  const own = open.filter(({ askedBy }) => askedBy !== null && sessionIds.includes(askedBy.sessionId));
  await answer(tx, at, own, 'withdrawn', null);
}

export const featureOf = (hold: Hold) =>
  hold.featureId && hold.featureSlug
    ? { feature: { id: hold.featureId, slug: hold.featureSlug, title: hold.featureTitle ?? hold.featureSlug } }
    : {};
