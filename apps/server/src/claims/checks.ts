import type { z } from 'zod';
import type { Check, CheckBody, Claim as ClaimView, Conflict, Finished, Refreshed, Verification, VerifyBody } from '@nexus/contract';
import { type Claim, covers, formatClaim, isListed, parseClaim } from '@nexus/paths';
import type { Database } from '../engines/database/database.ts';
import { type LeaseStore, LeaseStoreUnavailable } from '../engines/leases/leases.ts';
import type { Actor, SessionActor } from '../platform/actor.ts';
import { AppError, unavailable } from '../platform/errors.ts';
import type { Rules } from '../projects/index.ts';
import { finishedOn } from './finished.store.ts';
import { requireFew, requireFree } from './holds.ts';
import { type HeldClaim, heldClaims, holdByFence, obstacles, obstaclesAmong } from './holds.store.ts';
import { deadlineOf, toConflict } from './obstruction.ts';
import { collide, type Queued, queueOf, waitingBefore, wantedBy } from './queue.ts';
import { parseTouches } from './touches.ts';

export type Checks = ReturnType<typeof createChecks>;

type Needs = {
  database: Database;
  leases: LeaseStore;
  rules: (projectId: string) => Promise<Rules>;
  deadlines: (projectId: string) => Promise<Map<string, number>>;
  storeWasAway: () => void;
  /** Whether the ledger could not be reached when it was last looked at. */
  ledgerAway: () => boolean;
  /** Whether somebody waits for something there, as far as this server knows: the queue is not read for each check. */
  somebodyWaits: (projectId: string) => boolean;
  /** Counts paths that were found held. */
  denied: (projectId: string, paths: Claim[]) => void;
  /** Renews a session; throws its 410 when it is over. */
  beat: (actor: SessionActor, sessionId: string) => Promise<unknown>;
};

/** Who holds what, asked in passing: nothing here changes anything, and a grant never relies on it. */
export function createChecks({ database, leases, rules, deadlines, storeWasAway, ledgerAway, somebodyWaits, denied, beat }: Needs) {
  async function list(projectId: string, of: { sessions?: string[] } = {}): Promise<ClaimView[]> {
    const [held, left] = await Promise.all([heldClaims(database.db, projectId, of), deadlines(projectId)]);
    return held.map((claim) => toView(claim, left));
  }

  /**
   * Refuses what is held without taking the project's lock. The index only says where to look: a refusal is the ledger's,
   * and so is the grant that may follow where the index saw nothing.
   */
  async function refuseEarly(actor: SessionActor, wanted: Claim[]): Promise<void> {
    const { lineage } = actor.session;
    try {
      const seen = await leases.check(actor.projectId, wanted, lineage);
      if (seen && seen.conflicts.length > 0) requireFree(await obstacles(database.db, actor.projectId, wanted, lineage));
    } catch (error) {
      if (!(error instanceof LeaseStoreUnavailable)) throw error;
      storeWasAway();
    }
  }

  /** Would these be free for the acting session? From the index; from the ledger while the store is away. */
  async function check(actor: Actor, body: z.output<typeof CheckBody>): Promise<Check> {
    // What the index calls free nobody could claim now.
    if (ledgerAway()) throw unavailable('The database');
    const own = await rules(actor.projectId);
    const wanted = parseEach(body.paths, own);
    const lineage = actor.session?.lineage ?? [];
    const fromIndex = await leases.check(actor.projectId, wanted, lineage).catch((error: unknown) => {
      if (!(error instanceof LeaseStoreUnavailable)) throw error;
      storeWasAway();
      return undefined;
    });
    // Null: the index was lost this moment, and the ledger knows.
    const inWay = fromIndex?.conflicts.length === 0 ? new Map<number, Conflict[]>() : await named(actor, wanted, lineage);
    const mine = fromIndex?.covered ?? (await coveredByLedger(actor.projectId, wanted, lineage));
    if (inWay.size > 0)
      denied(
        actor.projectId,
        wanted.filter((_, position) => inWay.has(position)),
      );
    const finished = body.head === undefined ? undefined : await finishedSince(actor.projectId, wanted, body.head);
    const isFree = (_: Claim, position: number) => !inWay.has(position) && !mine[position];
    const line = somebodyWaits(actor.projectId) ? await lineFor(actor.projectId, wanted.filter(isFree), lineage, own) : [];
    return {
      paths: wanted.map((claim, position) => {
        const conflicts = inWay.get(position) ?? [];
        const state = conflicts.length > 0 ? ('held' as const) : mine[position] ? ('mine' as const) : ('free' as const);
        const waiting = state === 'free' ? line.filter((queued) => collide(wantedBy(queued), { claims: [claim], featureId: null })) : [];
        return {
          path: claim.display,
          state,
          conflicts,
          ...(waiting.length > 0 ? { waiting: waiting.map(inLine) } : {}),
          ...(finished ? { finished: finished[position] ?? [] } : {}),
        };
      }),
      degraded: fromIndex === undefined,
    };
  }

  /** Who comes before the acting session for any of these. */
  async function lineFor(projectId: string, free: Claim[], lineage: string[], own: Rules): Promise<Queued[]> {
    if (free.length === 0) return [];
    return waitingBefore(database.db, projectId, await queueOf(database.db, projectId, own), free, lineage);
  }

  /** Where each was given back, but at this very commit. What else is in it only a checkout can tell. */
  async function finishedSince(projectId: string, wanted: Claim[], head: string): Promise<Finished[][]> {
    const found = await finishedOn(database.db, projectId, wanted);
    return found.map((list) => list.filter(({ commit }) => commit !== head));
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

  /** Of these files, those that nobody holds for writing and that are not derived. What no claim can name is left out. */
  async function unclaimed(projectId: string, paths: string[]): Promise<string[]> {
    const own = await rules(projectId);
    const files = paths.flatMap((path) => {
      const parsed = parseClaim({ path: `./${path}`, kind: 'file' }, own);
      return parsed.ok && !isListed(parsed.claim.node, own.derived) ? [{ path, claim: parsed.claim }] : [];
    });
    const found = await obstacles(
      database.db,
      projectId,
      files.map(({ claim }) => claim),
      [],
    );
    const held = new Set(found.flatMap(({ wanted, held: other }) => (other.claim.mode === 'write' ? [wanted.node] : [])));
    return files.filter(({ claim }) => !held.has(claim.node)).map(({ path }) => path);
  }

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

  /** Renews the acting session, and tells which of these it holds; all that it holds when none are named. */
  async function refresh(actor: SessionActor, paths: z.output<typeof CheckBody>['paths'] | undefined): Promise<z.output<typeof Refreshed>> {
    await beat(actor, actor.session.id);
    const held = await heldClaims(database.db, actor.projectId, { sessions: [actor.session.id] });
    if (!paths) return { refreshed: held.map(({ claim: own }) => formatClaim(own)), notOwned: [] };
    const asked = parseEach(paths, await rules(actor.projectId));
    const [refreshed, notOwned] = [true, false].map((owned) =>
      asked.filter((claim) => held.some(({ claim: own }) => covers(own, { ...claim, mode: 'read' })) === owned).map(formatClaim),
    );
    return { refreshed: refreshed ?? [], notOwned: notOwned ?? [] };
  }

  /** The same for all that a feature touches. */
  async function finishedOf(projectId: string, touches: string[], head: string): Promise<Finished[]> {
    const lists = await finishedSince(projectId, parseTouches(touches, 'touches', await rules(projectId)), head);
    const found = lists.flat().toSorted((a, b) => b.at.localeCompare(a.at));
    return found.filter(({ commit }, position) => found.findIndex((other) => other.commit === commit) === position);
  }

  return { list, refuseEarly, check, finishedOf, unclaimed, verify, refresh };
}

/** One claim for each path, in the order asked: none is merged, for each has its answer. */
function parseEach(paths: z.output<typeof CheckBody>['paths'], own: Rules): Claim[] {
  const claims = paths.flatMap((path, position) => {
    try {
      return parseTouches([path], 'paths', own);
    } catch (error) {
      if (error instanceof AppError)
        throw new AppError(error.code, error.message, { details: { ...(error.details as object), field: `paths[${position}]` } });
      throw error;
    }
  });
  requireFew(claims, 'paths');
  return claims;
}

const inLine = ({ wait }: Queued) => ({
  engineerName: wait.engineerName,
  agent: wait.agent,
  sessionId: wait.sessionId,
  featureSlug: wait.feature?.slug ?? null,
  since: wait.since,
});

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
    ...(hold.landing ? { landing: { commit: hold.landing.commit } } : {}),
  };
}
