import type { z } from 'zod';
import type {
  Check,
  CheckBody,
  Claim as ClaimView,
  ClaimBody,
  Conflict,
  HeldPaths,
  Refreshed as RefreshedPaths,
  ReleaseClaimsBody,
  Verification,
  VerifyBody,
} from '@nexus/contract';
import { type Claim, compatible, formatClaim, isWithin, reduceClaims } from '@nexus/paths';
import type { Database, Queryable } from '../engines/database/database.ts';
import { type LeaseStore, LeaseStoreUnavailable } from '../engines/leases/leases.ts';
import type { Change, Ledger } from '../ledger/index.ts';
import type { Actor, SessionActor } from '../platform/actor.ts';
import { AppError } from '../platform/errors.ts';
import type { Rules } from '../projects/index.ts';
import { requireLive, SessionOver } from '../sessions/index.ts';
import { endAll, extend, grant, requireFree, sameForm, shrink } from './holds.ts';
import {
  claimsOf,
  type HeldClaim,
  heldClaims,
  type Hold,
  holdByFence,
  type Obstacle,
  obstacles,
  obstaclesAmong,
  openHolds,
} from './holds.store.ts';
import { deadlineOf, InTheWay, toConflict } from './obstruction.ts';
import { claimable, parseTouches } from './touches.ts';

export type Claims = ReturnType<typeof createClaims>;

type Needs = {
  database: Database;
  leases: LeaseStore;
  ledger: Ledger;
  rules: (projectId: string) => Promise<Rules>;
  deadlines: (projectId: string) => Promise<Map<string, number>>;
  storeWasAway: () => void;
  /** Ends those of these sessions that are past their grace period; answers how many that were. */
  loseStale: (projectId: string, sessionIds: string[]) => Promise<number>;
  over: (sessionId: string) => Promise<AppError>;
  /** Renews a session; throws its 410 when it is over. */
  beat: (actor: SessionActor, sessionId: string) => Promise<unknown>;
};

/** What a feature's hold is changed by; the feature slice hands it in. */
export type HeldFeature = {
  id: string;
  slug: string;
  title: string;
  hold: { id: string; fence: number; lineage: string[]; sessionId: string } | null;
};

export function createClaims({ database, leases, ledger, rules, deadlines, storeWasAway, loseStale, over, beat }: Needs) {
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
        throw error.refusal(await deadlines(projectId));
      }
    }
  }

  async function list(projectId: string, of: { sessions?: string[] } = {}): Promise<ClaimView[]> {
    const [held, left] = await Promise.all([heldClaims(database.db, projectId, of), deadlines(projectId)]);
    return held.map((claim) => toView(claim, left));
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

  /**
   * Refuses what is held without taking the project's lock. The index only says where to look: a refusal is the ledger's,
   * and so is the grant that may follow where the index saw nothing.
   */
  async function refuseEarly(actor: SessionActor, wanted: Claim[]): Promise<void> {
    const { lineage } = actor.session;
    try {
      const seen = await leases.check(actor.projectId, wanted, lineage);
      if (seen && seen.length > 0) requireFree(await obstacles(database.db, actor.projectId, wanted, lineage));
    } catch (error) {
      if (!(error instanceof LeaseStoreUnavailable)) throw error;
      storeWasAway();
    }
  }

  /** Would these be free for the acting session? From the index; from the ledger while the store is away. */
  async function check(actor: Actor, body: z.output<typeof CheckBody>): Promise<Check> {
    const wanted = parseEach(body.paths, await rules(actor.projectId));
    const lineage = actor.session?.lineage ?? [];
    const fromIndex = await Promise.all([
      leases.check(actor.projectId, wanted, lineage),
      leases.covered(actor.projectId, wanted, lineage),
    ]).catch((error: unknown) => {
      if (!(error instanceof LeaseStoreUnavailable)) throw error;
      storeWasAway();
      return undefined;
    });
    // Null: the index was lost this moment, and the ledger knows.
    const [found, covered] = fromIndex ?? [null, null];
    const inWay = found?.length === 0 ? new Map<number, Conflict[]>() : await named(actor, wanted, lineage);
    const mine = covered ?? (await coveredByLedger(actor.projectId, wanted, lineage));
    return {
      paths: wanted.map((claim, position) => {
        const conflicts = inWay.get(position) ?? [];
        const state = conflicts.length > 0 ? ('held' as const) : mine[position] ? ('mine' as const) : ('free' as const);
        return { path: claim.display, state, conflicts };
      }),
      degraded: fromIndex === undefined,
    };
  }

  async function coveredByLedger(projectId: string, wanted: Claim[], lineage: string[]): Promise<boolean[]> {
    const held = lineage.length === 0 ? [] : await heldClaims(database.db, projectId, { sessions: lineage });
    return wanted.map((claim) => held.some(({ claim: own }) => covers(own, claim)));
  }

  /** The ledger's word on what the index saw: with names, and right even where the index is a moment late. */
  async function named(actor: Actor, wanted: Claim[], lineage: string[]): Promise<Map<number, Conflict[]>> {
    const [found, left] = await Promise.all([obstacles(database.db, actor.projectId, wanted, lineage), deadlines(actor.projectId)]);
    const held = found.map((obstacle) => obstacle.held);
    const byPosition = new Map<number, Conflict[]>();
    for (const [position, claim] of wanted.entries()) {
      const conflicts = obstaclesAmong([claim], [...new Set(held)]).map((obstacle) => toConflict(obstacle, left));
      const distinct = [...new Map(conflicts.map((conflict) => [`${conflict.claimedBy.fence} ${conflict.heldPath}`, conflict])).values()];
      if (distinct.length > 0) byPosition.set(position, distinct);
    }
    return byPosition;
  }

  const parseEach = (paths: z.output<typeof CheckBody>['paths'], own: Rules): Claim[] =>
    paths.flatMap((path, position) => {
      try {
        return parseTouches([path], 'paths', own);
      } catch (error) {
        if (error instanceof AppError)
          throw new AppError(error.code, error.message, { details: { ...(error.details as object), field: `paths[${position}]` } });
        throw error;
      }
    });

  /** Ours, theirs, unclaimed, from the ledger: what is committed is checked against what is true. */
  async function verify(actor: Actor, body: z.output<typeof VerifyBody>): Promise<Verification> {
    const wanted = parseEach(body.paths, await rules(actor.projectId));
    const lineage = actor.session?.lineage ?? [];
    const [inWay, mine, hold] = await Promise.all([
      named(actor, wanted, lineage),
      coveredByLedger(actor.projectId, wanted, lineage),
      body.fence === undefined ? undefined : holdByFence(database.db, actor.projectId, body.fence),
    ]);
    const state = !hold ? 'unknown' : hold.endedAs === null ? 'open' : hold.endedAs === 'released' ? 'released' : 'stale';
    return {
      ours: wanted.filter((_, position) => mine[position] && !inWay.has(position)).map(({ display }) => display),
      theirs: [...inWay.values()].flat(),
      unclaimed: wanted.filter((_, position) => !mine[position] && !inWay.has(position)).map(({ display }) => display),
      fence: body.fence === undefined ? null : { fence: body.fence, state, featureSlug: hold?.featureSlug ?? null },
    };
  }

  /** Ad hoc, or one more for a hold of the session: all of them or none. */
  async function claim(actor: SessionActor, body: z.output<typeof ClaimBody>): Promise<HeldPaths> {
    const wanted = parseTouches(body.paths, 'paths', await rules(actor.projectId));
    const { session } = actor;
    return attempt(actor.projectId, () =>
      ledger.change(actor, 'claim', async (tx, at) => {
        await requireLive(tx, session);
        const hold = await holdFor(tx, actor, body);
        if (!hold) {
          requireFree(await obstacles(tx, actor.projectId, wanted, session.lineage));
          const granted = grant(tx, at, { session, feature: null, claims: wanted, reason: body.reason });
          return { fence: granted.fence, featureSlug: null, paths: granted.paths, changed: granted.paths };
        }
        const changed = await extend(tx, at, hold, wanted, hold.lineage);
        if (changed.length > 0) at.emit({ type: 'files_claimed', ...featureOf(hold), data: { paths: changed, fence: hold.fence } });
        return { fence: hold.fence, featureSlug: hold.featureSlug, paths: (await claimsOf(tx, [hold.id])).map(formatClaim), changed };
      }),
    );
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
    const added = await extend(tx, at, hold, touches, hold.lineage);
    const brief = { feature: { id: feature.id, slug: feature.slug, title: feature.title } };
    const data = (paths: string[]) => ({ paths, fence: hold.fence });
    if (added.length > 0) at.emit({ type: 'files_claimed', ...brief, data: data(added.filter((path) => !freed.includes(path))) });
    if (freed.length > 0) at.emit({ type: 'files_released', ...brief, data: data(freed.filter((path) => !added.includes(path))) });
  }

  /** Renews the acting session, and tells which of these it holds; all that it holds when none are named. */
  async function refresh(
    actor: SessionActor,
    paths: z.output<typeof CheckBody>['paths'] | undefined,
  ): Promise<z.output<typeof RefreshedPaths>> {
    await beat(actor, actor.session.id);
    const held = await heldClaims(database.db, actor.projectId, { sessions: [actor.session.id] });
    if (!paths) return { refreshed: held.map(({ claim: own }) => formatClaim(own)), notOwned: [] };
    const asked = parseEach(paths, await rules(actor.projectId));
    const [refreshed, notOwned] = [true, false].map((owned) =>
      asked.filter((claim) => held.some(({ claim: own }) => covers(own, { ...claim, mode: 'read' })) === owned).map(formatClaim),
    );
    return { refreshed: refreshed ?? [], notOwned: notOwned ?? [] };
  }

  return { attempt, list, obstaclesOf, refuseEarly, check, verify, claim, release, reshape, refresh };
}

const covers = (held: Claim, wanted: Claim) =>
  (held.node === wanted.node ? held.kind === 'tree' || wanted.kind === 'file' : held.kind === 'tree' && isWithin(wanted.node, held.node)) &&
  (held.mode === 'write' || compatible(held.mode, wanted.mode));

const featureOf = (hold: Hold) =>
  hold.featureId && hold.featureSlug
    ? { feature: { id: hold.featureId, slug: hold.featureSlug, title: hold.featureTitle ?? hold.featureSlug } }
    : {};

function toView({ claim, grantedAt, hold }: HeldClaim, deadlines: Map<string, number>): ClaimView {
  return {
    filePath: claim.display,
    projectId: hold.projectId,
    engineerId: hold.engineerId,
    engineerName: hold.engineerName,
    featureId: hold.featureId,
    claimedAt: grantedAt,
    expiresAt: hold.parkedAt ? null : deadlineOf(deadlines.get(hold.sessionId)),
    featureSlug: hold.featureSlug,
    sessionId: hold.sessionId,
    agent: hold.agent,
    kind: claim.kind,
    mode: claim.mode,
    fence: hold.fence,
    parked: hold.parkedAt !== null,
  };
}
