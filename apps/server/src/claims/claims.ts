import type { z } from 'zod';
import type { ClaimBody, HeldPaths, ReleaseClaimsBody } from '@nexus/contract';
import { type Claim, formatClaim, reduceClaims } from '@nexus/paths';
import type { Queryable } from '../engines/database/database.ts';
import type { Change, Ledger } from '../ledger/index.ts';
import type { Actor, SessionActor } from '../platform/actor.ts';
import { AppError } from '../platform/errors.ts';
import type { Rules } from '../projects/index.ts';
import { requireLive, SessionOver } from '../sessions/index.ts';
import { endAll, extend, grant, requireFree, sameForm, shrink } from './holds.ts';
import { claimsOf, type Hold, type Obstacle, obstacles, obstaclesAmong, openHolds } from './holds.store.ts';
import { rememberFinished } from './finished.store.ts';
import { InTheWay } from './obstruction.ts';
import { type Queued, queueOf, requireTurn, requireTurnToExtend, settleWaits } from './queue.ts';
import { claimable, parseTouches } from './touches.ts';

export type Claims = ReturnType<typeof createClaims>;

type Needs = {
  ledger: Ledger;
  rules: (projectId: string) => Promise<Rules>;
  deadlines: (projectId: string) => Promise<Map<string, number>>;
  /** Ends those of these sessions that are past their grace period; answers how many that were. */
  loseStale: (projectId: string, sessionIds: string[]) => Promise<number>;
  over: (sessionId: string) => Promise<AppError>;
  /** Counts a refusal. */
  refused: (projectId: string, paths: Claim[]) => void;
};

type Taking = {
  hold: Hold | undefined;
  queue: Queued[];
  wanted: Claim[];
  /** The wait that it is granted to. */
  place?: string | undefined;
  reason?: string | undefined;
};

/** What a feature's hold is changed by; the feature slice hands it in. */
export type HeldFeature = {
  id: string;
  slug: string;
  title: string;
  hold: { id: string; fence: number; lineage: string[]; sessionId: string } | null;
};

/** What changes who holds which path. */
export function createClaims({ ledger, rules, deadlines, loseStale, over, refused }: Needs) {
  /**
   * Runs a change. A dead holder in its way is lost on the spot, and the change is tried again; live ones are named in
   * a 409. A session that is over gets its 410. The change itself leaves nothing behind when it throws.
   */
  async function attempt<T>(projectId: string, change: () => Promise<T>): Promise<T> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await change();
      } catch (error) {
        if (error instanceof SessionOver) throw await over(error.sessionId);
        if (!(error instanceof InTheWay)) throw error;
        const holders = new Set(error.holders.filter(({ parkedAt }) => !parkedAt).map(({ sessionId }) => sessionId));
        // Each round loses at least one session for good, so this ends; the bound is for a bug.
        if (tries < 10 && (await loseStale(projectId, [...holders])) > 0) continue;
        refused(projectId, error.paths);
        throw error.refusal(await deadlines(projectId));
      }
    }
  }

  /** By feature: what stands in the way of what its pick would claim. One query for all of them. */
  async function obstaclesOf(
    on: Queryable,
    projectId: string,
    features: Array<{ id: string; touches: string[] }>,
    lineage: string[],
    own: Rules,
  ): Promise<Map<string, Obstacle[]>> {
    const wanted = features.map(({ id, touches }) => ({ id, claims: claimable(touches, own) }));
    const found = await obstacles(on, projectId, reduceClaims(wanted.flatMap(({ claims }) => claims)), lineage);
    const held = [...new Map(found.map(({ held: other }) => [`${other.hold.id} ${other.claim.node}`, other])).values()];
    return new Map(wanted.map(({ id, claims }) => [id, obstaclesAmong(claims, held)]));
  }

  /** Ad hoc, or one more for a hold of the session: all of them or none. `place`: the wait that it is granted to. */
  async function claim(actor: SessionActor, body: z.output<typeof ClaimBody>, place?: string): Promise<HeldPaths> {
    const own = await rules(actor.projectId);
    const wanted = parseTouches(body.paths, 'paths', own);
    return attempt(actor.projectId, () =>
      ledger.change(actor, 'claim', async (tx, at) => {
        await requireLive(tx, actor.session);
        const [hold, queue] = await Promise.all([holdFor(tx, actor, body), queueOf(tx, actor.projectId, own)]);
        const { id, changed, ...of } = await take(tx, at, actor, { hold, queue, wanted, place, reason: body.reason });
        return { ...of, paths: (await claimsOf(tx, [id])).map(formatClaim), changed };
      }),
    );
  }

  /** Claims, within a change, for a hold of the session; without one, for a new ad hoc hold. The session lives. */
  async function take(
    tx: Queryable,
    at: Change,
    { projectId, session }: SessionActor,
    { hold, queue, wanted, place, reason }: Taking,
  ): Promise<{ id: string; fence: number; featureSlug: string | null; changed: string[] }> {
    const asked = { claims: wanted, featureId: null };
    const mayTake = async (added: Claim[]) =>
      place === undefined ? requireTurnToExtend(tx, at, queue, added, session) : requireTurn(queue, asked, session, place);
    // Who waits for paths may hold resources, so taking one leaves no such place.
    const settles = wanted.every(isResource) ? queue.filter(({ claims }) => claims.some(isResource)) : queue;
    if (!hold) {
      requireFree(await obstacles(tx, projectId, wanted, session.lineage));
      await mayTake(wanted);
      const { id, fence, paths } = grant(tx, at, { session, feature: null, claims: wanted, reason });
      settleWaits(tx, at, settles, session, { ...asked, fence });
      return { id, fence, featureSlug: null, changed: paths };
    }
    const changed = await extend(tx, at, hold, wanted, hold.lineage, mayTake);
    if (changed.length > 0) settleWaits(tx, at, settles, session, { ...asked, fence: hold.fence });
    if (changed.length > 0) at.emit({ type: 'files_claimed', ...featureOf(hold), data: { paths: changed, fence: hold.fence } });
    return { id: hold.id, fence: hold.fence, featureSlug: hold.featureSlug, changed };
  }

  /** Gives paths back; without paths the whole ad hoc hold. What it does not hold is no error: a retry is the same. */
  async function release(actor: SessionActor, body: z.output<typeof ReleaseClaimsBody>): Promise<HeldPaths> {
    const unwanted = body.paths && parseTouches(body.paths, 'paths', await rules(actor.projectId));
    return attempt(actor.projectId, () =>
      ledger.change(actor, 'unclaim', async (tx, at) => {
        await requireLive(tx, actor.session);
        const hold = await holdFor(tx, actor, body);
        if (!hold) return { fence: 0, featureSlug: null, paths: [], changed: [] };
        const held = await claimsOf(tx, [hold.id]);
        const nodes = unwanted ? unwanted.map(({ node }) => node) : held.map(({ node }) => node);
        if (body.commit !== undefined) at.write(rememberFinished(tx, [hold.id], body.commit, nodes));
        const changed = await shrink(tx, at, hold, nodes);
        if (changed.length > 0) at.emit({ type: 'files_released', ...featureOf(hold), data: { paths: changed, fence: hold.fence } });
        const left = held.filter(({ node }) => !nodes.includes(node));
        if (left.length === 0 && !hold.featureId) await endAll(tx, at, [hold], 'released');
        return { fence: hold.fence, featureSlug: hold.featureSlug, paths: left.map(formatClaim), changed };
      }),
    );
  }

  /** The hold a call means: the one it names, which must be the session's own or a descendant's; else the ad hoc one. */
  async function holdFor(
    tx: Queryable,
    { projectId, session }: SessionActor,
    named: { fence?: number | undefined; featureSlug?: string | undefined },
  ): Promise<Hold | undefined> {
    if (named.fence === undefined && named.featureSlug === undefined)
      return (await openHolds(tx, projectId, { session: session.id, adHoc: true }))[0];
    const [hold] = (await openHolds(tx, projectId, named.fence === undefined ? { session: session.id } : { fence: named.fence })).filter(
      (open) => named.featureSlug === undefined || open.featureSlug === named.featureSlug,
    );
    if (!hold || !hold.lineage.includes(session.id) || hold.parkedAt) {
      throw new AppError('FENCED', 'This hold is not yours, is parked, or has ended. `nexus status` shows who holds what.', {
        details: {
          fence: named.fence ?? null,
          heldBy: hold ? { sessionId: hold.sessionId, engineerName: hold.engineerName, agent: hold.agent } : null,
        },
      });
    }
    return hold;
  }

  /** Makes a feature's open hold have exactly these: one extend and one shrink under the same fence. */
  async function reshape(
    tx: Queryable,
    at: Change,
    actor: Actor,
    feature: HeldFeature,
    touches: Claim[],
    fence: number | undefined,
  ): Promise<void> {
    const queue = await queueOf(tx, actor.projectId, await rules(actor.projectId));
    const { hold: held } = feature;
    const { session } = actor;
    if (session) await requireLive(tx, session);
    if (!held || !session || !held.lineage.includes(session.id) || (fence !== undefined && fence !== held.fence)) {
      throw new AppError('FENCED', `Only the session that holds ${feature.slug} changes its paths while it is active.`, {
        details: { fence: held?.fence ?? null, sessionId: held?.sessionId ?? null },
      });
    }
    const [hold] = await openHolds(tx, actor.projectId, { fence: held.fence });
    if (!hold) throw new AppError('FENCED', `The hold of ${feature.slug} has ended.`);
    const before = await claimsOf(tx, [hold.id]);
    const wanted = new Map(touches.map((claim) => [claim.node, claim]));
    const gone = before.filter((claim) => !sameForm(claim, wanted.get(claim.node)));
    const freed = await shrink(
      tx,
      at,
      hold,
      gone.map(({ node }) => node),
    );
    const added = await extend(tx, at, hold, touches, hold.lineage, (claims) => requireTurnToExtend(tx, at, queue, claims, session));
    const brief = { feature: { id: feature.id, slug: feature.slug, title: feature.title } };
    const data = (paths: string[]) => ({ paths, fence: hold.fence });
    if (added.length > 0) at.emit({ type: 'files_claimed', ...brief, data: data(added.filter((path) => !freed.includes(path))) });
    if (freed.length > 0) at.emit({ type: 'files_released', ...brief, data: data(freed.filter((path) => !added.includes(path))) });
  }

  return { attempt, obstaclesOf, claim, take, release, reshape };
}

export const isResource = ({ kind }: Claim): boolean => kind === 'resource';

const featureOf = (hold: Hold) =>
  hold.featureId && hold.featureSlug
    ? { feature: { id: hold.featureId, slug: hold.featureSlug, title: hold.featureTitle ?? hold.featureSlug } }
    : {};
