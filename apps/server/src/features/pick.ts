import type { Feature, Lane } from '@nexus/contract';
import type { Claim } from '@nexus/paths';
import {
  aheadOf,
  claimable,
  type Checks,
  type Claims,
  claimsOfFeature,
  endAll,
  excessOf,
  formatTouches,
  grant,
  hasRoom,
  obstacles,
  parseTouches,
  type Queued,
  queueOf,
  requireFree,
  requireTurn,
  settleWaits,
} from '../claims/index.ts';
import type { Database, Queryable } from '../engines/database/database.ts';
import type { Change, Ledger } from '../ledger/index.ts';
import type { SessionActor } from '../platform/actor.ts';
import { AppError } from '../platform/errors.ts';
import type { Rules } from '../projects/index.ts';
import { requireLive } from '../sessions/index.ts';
import type { Features } from './features.ts';
import { type Handover, handovers, isLeft } from './handover.ts';
import { brief, heldBy, illegal, unmetError } from './refusals.ts';
import { type FeatureRow, featuresOf, moveOn, notDone, view } from './features.store.ts';

export type Pick = ReturnType<typeof createPick>;

type Needs = {
  database: Database;
  ledger: Ledger;
  features: Features;
  claims: Claims;
  checks: Checks;
  rules: (projectId: string) => Promise<Rules>;
  /** Ends every session of the project that is past its grace period. */
  loseAllStale: (projectId: string) => Promise<number>;
};

/** How many ready features one query looks at for pick-next. */
const BATCH = 25;

/** Who begins what: one commit under the project's lock grants a feature and all its paths. */
export function createPick({ database, ledger, features, claims, checks, rules, loseAllStale }: Needs) {
  /**
   * Takes the feature and every path it touches, or nothing. A crash before the commit leaves nothing; after it, only a
   * late index. Picking what the session holds already is the same pick, with the same fence. `place`: the wait that it
   * is granted to.
   */
  async function one(actor: SessionActor, slug: string, place?: string): Promise<Feature> {
    const own = await rules(actor.projectId);
    const attempt = () =>
      claims.attempt(actor.projectId, async () => {
        // Without the lock: most refusals end here, and what is known ahead lets the checks travel together with the lock.
        const ahead = await features.require(database.db, actor.projectId, slug);
        if (ahead.hold && ahead.hold.sessionId !== actor.session.id) throw heldBy(ahead);
        const wanted = claimable(ahead.touches, own);
        await checks.refuseEarly(actor, wanted);
        return ledger.readAndChange(
          actor,
          'pick',
          (tx) =>
            Promise.all([
              requireLive(tx, actor.session),
              features.require(tx, actor.projectId, slug),
              notDone(tx, actor.projectId, ahead.dependsOn),
              obstacles(tx, actor.projectId, wanted, actor.session.lineage),
              queueOf(tx, actor.projectId, own),
            ]),
          async (tx, at, [, row, unmet, inWay, queue]) => {
            if (row.hold?.sessionId === actor.session.id && !row.hold.parked) return view(row);
            if (row.hold) throw heldBy(row);
            if (row.status !== 'ready')
              throw illegal(
                row,
                row.status === 'draft' ? `Make it ready first (nexus feature ready ${slug}).` : 'Only a ready feature can be picked.',
              );
            if (needs(row) !== needs(ahead)) throw changedMeanwhile();
            if (unmet.length > 0) throw unmetError(row, unmet);
            requireFree(inWay);
            requireTurn(queue, { claims: wanted, featureId: row.id }, actor.session, place);
            return { ...(await begun(tx, row)), ...activate(tx, at, actor, row, wanted, queue) };
          },
        );
      });
    return ledger.retriable(actor, attempt);
  }

  function activate(tx: Queryable, at: Change, actor: SessionActor, row: FeatureRow, wanted: Claim[], queue: Queued[]): Feature {
    const { session } = actor;
    const granted = grant(tx, at, { session, feature: brief(row), claims: wanted });
    settleWaits(tx, at, queue, session, { claims: wanted, featureId: row.id, fence: granted.fence });
    at.emit({
      type: 'feature_claimed',
      feature: brief(row),
      data: { fence: granted.fence, sessionId: session.id, agent: session.agent, resumed: row.interrupted },
    });
    at.write(
      moveOn(tx, [row.id], [row.status], { status: 'active', holdId: granted.id, claimedBy: actor.engineer.id, interrupted: false }),
    );
    const { now } = at;
    const hold = {
      id: granted.id,
      fence: granted.fence,
      sessionId: session.id,
      lineage: session.lineage,
      agent: session.agent,
      engineerId: session.engineerId,
      engineerName: session.engineerName,
      parked: false,
      grantedAt: now,
    };
    const later = row.touches.length - wanted.length;
    const warnings = [
      ...(later > 0
        ? [`${later} of its paths are on the project's brief list: they are claimed at the edit and given back at the commit.`]
        : []),
      ...(row.touches.length === 0
        ? ['It touches no paths, so nothing is protected. Add some: nexus feature edit --touches …, or nexus claims add <path>.']
        : []),
      ...(row.interrupted ? ['Its last session was lost: look for work that it left before you start.'] : []),
    ];
    return view(
      {
        ...row,
        status: 'active',
        claimedBy: actor.engineer.id,
        claimedAt: now,
        updatedAt: now,
        completedAt: null,
        version: row.version + 1,
        interrupted: false,
        hold,
      },
      warnings,
    );
  }

  /** The first ready feature that is free, by lane and priority: one call, so a herd does not run after one slug. */
  async function next(actor: SessionActor, lane: Lane | undefined): Promise<Feature> {
    await loseAllStale(actor.projectId);
    const own = await rules(actor.projectId);
    const attempt = () =>
      claims.attempt(actor.projectId, () =>
        ledger.change(actor, 'pick', async (tx, at) => {
          await requireLive(tx, actor.session);
          const [ready, queue] = await Promise.all([featuresOf(tx, actor.projectId, 'ready', { lane }), queueOf(tx, actor.projectId, own)]);
          const unmet = await features.unmetOf(tx, actor.projectId, ready);
          const waiting: Array<{ slug: string; waitsFor: string[]; heldBy: string[] }> = [];
          for (let from = 0; from < ready.length; from += BATCH) {
            const batch = ready.slice(from, from + BATCH);
            const inWay = await claims.obstaclesOf(tx, actor.projectId, batch, actor.session.lineage, own);
            for (const row of batch) {
              const waitsFor = unmet.get(row.id) ?? [];
              const found = inWay.get(row.id) ?? [];
              const wanted = claimable(row.touches, own);
              const ahead = aheadOf(queue, { claims: wanted, featureId: row.id }, actor.session.lineage);
              const free = waitsFor.length === 0 && found.length === 0 && ahead.length === 0;
              if (free && (await hasRoom(tx, actor.projectId, wanted)))
                return { ...(await begun(tx, row)), ...activate(tx, at, actor, row, wanted, queue) };
              const holders = found.map(({ held }) => `${held.hold.engineerName} (${held.hold.featureSlug ?? held.claim.display})`);
              const waiters = ahead.map(({ wait }) => `${wait.engineerName} (waiting for ${wait.feature?.slug ?? 'its paths'})`);
              waiting.push({ slug: row.slug, waitsFor, heldBy: [...new Set([...holders, ...waiters])] });
            }
          }
          throw new AppError(
            'NOTHING_AVAILABLE',
            ready.length === 0
              ? 'No feature is ready. Make one ready (nexus feature ready <slug>), or create one.'
              : `${ready.length} ready, none of them free. Wait for one of the holders, or create other work.`,
            { details: { waiting: waiting.slice(0, 50) } },
          );
        }),
      );
    return ledger.retriable(actor, attempt);
  }

  /** Adopts what a lost session left (interrupted) or a session that ended parked, under a new fence, with no gap for others. */
  async function resume(actor: SessionActor, slug: string): Promise<Feature> {
    const own = await rules(actor.projectId);
    const attempt = () =>
      claims.attempt(actor.projectId, () =>
        ledger.change(actor, 'resume', async (tx, at) => {
          const [, row, queue] = await Promise.all([
            requireLive(tx, actor.session),
            features.require(tx, actor.projectId, slug),
            queueOf(tx, actor.projectId, own),
          ]);
          if (row.hold?.sessionId === actor.session.id && !row.hold.parked) return { ...(await begun(tx, row)), ...view(row) };
          if (row.hold && !row.hold.parked) throw heldBy(row);
          if (!row.hold && !(row.status === 'ready' && row.interrupted))
            throw illegal(row, `Nothing of it waits to be resumed. Pick it instead (nexus feature pick ${slug}).`);
          const left = await begun(tx, row);
          // What is parked is handed over as it stands: it may have grown, or shrunk, since it was picked. What was lost is
          // taken as it was held, and as it is described now.
          const wanted = row.hold ? await claimsOfFeature(tx, actor.projectId, slug) : lostClaims(row, left, own);
          const along = row.hold ? await parkedAround(tx, actor.projectId, row.hold.sessionId, [row], wanted) : [];
          const over = [row, ...along.map((other) => other.row)].flatMap(({ hold }) => hold ?? []);
          await endAll(tx, at, over, 'handed_over');
          const all = [...wanted, ...along.flatMap((other) => other.claims)];
          requireFree(await obstacles(tx, actor.projectId, all, actor.session.lineage));
          for (const other of along) activate(tx, at, actor, { ...other.row, interrupted: true }, other.claims, queue);
          // Paths that are handed over were never free, so nobody's turn is taken.
          if (!row.hold) requireTurn(queue, { claims: wanted, featureId: row.id }, actor.session);
          return { ...left, ...activate(tx, at, actor, { ...row, interrupted: true }, wanted, queue) };
        }),
      );
    return ledger.retriable(actor, attempt);
  }

  /** What the same session left parked and `claims` overlap: those stand in each other's way unless they go over together. */
  async function parkedAround(tx: Queryable, projectId: string, sessionId: string, known: FeatureRow[], held: Claim[]) {
    const found = (await obstacles(tx, projectId, held, [])).map((obstacle) => obstacle.held.hold);
    const slugs = new Set(found.flatMap((hold) => (hold.sessionId === sessionId && hold.parkedAt ? (hold.featureSlug ?? []) : [])));
    const around: Array<{ row: FeatureRow; claims: Claim[] }> = [];
    for (const slug of slugs) {
      const row = await features.require(tx, projectId, slug);
      const isKnown = [...known, ...around.map((other) => other.row)].some(({ id }) => id === row.id);
      if (isKnown || row.status !== 'active' || !row.hold?.parked) continue;
      const claimed = await claimsOfFeature(tx, projectId, slug);
      around.push({ row, claims: claimed });
      around.push(...(await parkedAround(tx, projectId, sessionId, [...known, ...around.map((other) => other.row)], claimed)));
    }
    return around;
  }

  return { one, next, resume };
}

/** What whoever takes a feature over is told. Read before the new hold is written. */
const begun = async (tx: Queryable, row: FeatureRow): Promise<Handover> =>
  isLeft(row) || row.hold ? ((await handovers(tx, row.projectId, [row])).get(row.id) ?? {}) : {};

function lostClaims({ touches }: FeatureRow, { left }: Handover, own: Rules): Claim[] {
  const all = parseTouches([...touches, ...(left?.paths ?? [])], 'touches', own);
  return claimable(excessOf(all) === undefined ? formatTouches(all) : touches, own);
}

/** What a pick checks ahead: another title or lane does not concern it. */
const needs = ({ touches, dependsOn }: FeatureRow) => JSON.stringify([touches, dependsOn]);

const changedMeanwhile = () => new AppError('REQUEST_IN_PROGRESS', 'The feature changed while it was being picked. Pick it again.');
