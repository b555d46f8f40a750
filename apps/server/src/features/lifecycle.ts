import type { Feature, Lane } from '@nexus/contract';
import {
  type Claims,
  claimsOfFeature,
  endAll,
  endKnown,
  grant,
  InTheWay,
  lastHoldOf,
  obstacles,
  claimable,
  requireFree,
} from '../claims/index.ts';
import type { Database, Queryable } from '../engines/database/database.ts';
import type { HoldEnd } from '../engines/leases/leases.ts';
import type { Change, Ledger } from '../ledger/index.ts';
import type { Actor, SessionActor } from '../platform/actor.ts';
import { AppError } from '../platform/errors.ts';
import type { Rules } from '../projects/index.ts';
import { requireLive } from '../sessions/index.ts';
import { brief, type Features, fenced, illegal } from './features.ts';
import { type FeatureRow, featuresOf, moveOn, notDone, view } from './features.store.ts';

export type Lifecycle = ReturnType<typeof createLifecycle>;

type Needs = {
  database: Database;
  ledger: Ledger;
  features: Features;
  claims: Claims;
  rules: (projectId: string) => Promise<Rules>;
  /** Ends every session of the project that is past its grace period. */
  loseAllStale: (projectId: string) => Promise<number>;
};

/** How many ready features one query looks at for pick-next. */
const BATCH = 25;

/** Who works on what: every step is one commit under the project's lock, conditional on the hold that stands for the feature. */
export function createLifecycle({ database, ledger, features, claims, rules, loseAllStale }: Needs) {
  /**
   * Takes the feature and every path it touches, or nothing. A crash before the commit leaves nothing; after it, only a
   * late index. Picking what the session holds already is the same pick, with the same fence.
   */
  async function pick(actor: SessionActor, slug: string): Promise<Feature> {
    const own = await rules(actor.projectId);
    const attempt = () =>
      claims.attempt(actor.projectId, async () => {
        // Without the lock: most refusals end here, and what is known ahead lets the checks travel together with the lock.
        const ahead = await features.require(database.db, actor.projectId, slug);
        if (ahead.hold && ahead.hold.sessionId !== actor.session.id) throw heldBy(ahead);
        const wanted = claimable(ahead.touches, own);
        await claims.refuseEarly(actor, wanted);
        return ledger.readAndChange(
          actor,
          'pick',
          (tx) =>
            Promise.all([
              requireLive(tx, actor.session),
              features.require(tx, actor.projectId, slug),
              notDone(tx, actor.projectId, ahead.dependsOn),
              obstacles(tx, actor.projectId, wanted, actor.session.lineage),
            ]),
          (tx, at, [, row, unmet, inWay]) => {
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
            return activate(tx, at, actor, row, wanted);
          },
        );
      });
    return ledger.retriable(actor, attempt);
  }

  function activate(tx: Queryable, at: Change, actor: SessionActor, row: FeatureRow, wanted: ReturnType<typeof claimable>): Feature {
    const { session } = actor;
    const granted = grant(tx, at, { session, feature: brief(row), claims: wanted });
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
  async function pickNext(actor: SessionActor, lane: Lane | undefined): Promise<Feature> {
    await loseAllStale(actor.projectId);
    const own = await rules(actor.projectId);
    const attempt = () =>
      claims.attempt(actor.projectId, () =>
        ledger.change(actor, 'pick', async (tx, at) => {
          await requireLive(tx, actor.session);
          const ready = await featuresOf(tx, actor.projectId, 'ready', { lane });
          const unmet = await features.unmetOf(tx, actor.projectId, ready);
          const waiting: Array<{ slug: string; waitsFor: string[]; heldBy: string[] }> = [];
          for (let from = 0; from < ready.length; from += BATCH) {
            const batch = ready.slice(from, from + BATCH);
            const inWay = await claims.obstaclesOf(tx, actor.projectId, batch, actor.session.lineage, own);
            for (const row of batch) {
              const waitsFor = unmet.get(row.id) ?? [];
              const found = inWay.get(row.id) ?? [];
              if (waitsFor.length === 0 && found.length === 0) return activate(tx, at, actor, row, claimable(row.touches, own));
              waiting.push({
                slug: row.slug,
                waitsFor,
                heldBy: [...new Set(found.map(({ held }) => `${held.hold.engineerName} (${held.hold.featureSlug ?? held.claim.display})`))],
              });
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

  type Held = Awaited<ReturnType<typeof claimsOfFeature>>;
  type Ending = {
    verb: string;
    as: HoldEnd;
    to: 'ready' | 'done' | 'cancelled';
    event: 'feature_released' | 'feature_completed' | 'feature_cancelled';
    interrupted?: boolean;
    data?: Record<string, unknown>;
  };

  /** Ends the hold that stands for the feature, by the session that holds it or an ancestor, under the fence it names. */
  async function end(actor: SessionActor, slug: string, fence: number | undefined, ending: Ending): Promise<Feature> {
    return claims.attempt(actor.projectId, () =>
      ledger.readAndChange(
        actor,
        ending.verb,
        (tx) =>
          Promise.all([
            requireLive(tx, actor.session),
            features.require(tx, actor.projectId, slug),
            claimsOfFeature(tx, actor.projectId, slug),
          ]),
        async (tx, at, [, row, held]) => {
          if (!row.hold) {
            const last = await lastHoldOf(tx, row.id);
            // A retry of what it did itself finds it done.
            if (
              row.status === ending.to &&
              last?.endedAs === 'released' &&
              last.lineage.includes(actor.session.id) &&
              (fence === undefined || fence === last.fence)
            )
              return view(row);
            if (fence !== undefined && last) throw fenced(row, fence);
            throw illegal(row, 'Only an active feature can be ended.');
          }
          if (!row.hold.lineage.includes(actor.session.id) || row.hold.parked || (fence !== undefined && fence !== row.hold.fence))
            throw fenced(row, fence);
          return close(tx, at, row, row.hold, held, ending);
        },
      ),
    );
  }

  /** `held`: what the hold has, as read under this lock. */
  function close(tx: Queryable, at: Change, row: FeatureRow, hold: NonNullable<FeatureRow['hold']>, held: Held, ending: Ending): Feature {
    const paths = endKnown(tx, at, [hold.id], held, ending.as).get(hold.id) ?? [];
    const isDone = ending.to === 'done';
    const to = { status: ending.to, holdId: null, claimedBy: isDone ? hold.engineerId : null, interrupted: ending.interrupted ?? false };
    at.write(moveOn(tx, [row.id], ['active'], to));
    at.emit({ type: ending.event, feature: brief(row), data: { fence: hold.fence, ...ending.data } });
    if (paths.length > 0) at.emit({ type: 'files_released', feature: brief(row), data: { paths, fence: hold.fence } });
    return view({
      ...row,
      status: to.status,
      claimedBy: to.claimedBy,
      interrupted: to.interrupted,
      claimedAt: isDone ? row.claimedAt : null,
      completedAt: isDone ? at.now : null,
      updatedAt: at.now,
      version: row.version + 1,
      hold: null,
    });
  }

  const release = (actor: SessionActor, slug: string, fence?: number) =>
    end(actor, slug, fence, { verb: 'release', as: 'released', to: 'ready', event: 'feature_released', data: { reason: 'released' } });

  const done = (actor: SessionActor, slug: string, fence?: number) =>
    end(actor, slug, fence, { verb: 'done', as: 'released', to: 'done', event: 'feature_completed' });

  /** An active feature by its holder; a draft or ready one by any member. Once more is the same. */
  async function cancel(actor: Actor, slug: string, fence?: number): Promise<Feature> {
    const row = await features.require(database.db, actor.projectId, slug);
    const ending: Ending = { verb: 'cancel', as: 'released', to: 'cancelled', event: 'feature_cancelled' };
    if (row.status === 'active' || fence !== undefined) {
      if (!actor.session) throw fenced(row, fence);
      return end({ ...actor, session: actor.session }, slug, fence, ending);
    }
    return claims.attempt(actor.projectId, () =>
      ledger.change(actor, 'cancel', async (tx, at) => {
        const [now] = await Promise.all([features.require(tx, actor.projectId, slug), actor.session && requireLive(tx, actor.session)]);
        if (now.status === 'cancelled') return view(now);
        if (now.hold) throw heldBy(now);
        if (now.status === 'done') throw illegal(now, 'What is done cannot be cancelled.');
        await moveOn(tx, [now.id], ['draft', 'ready'], { status: 'cancelled', holdId: null, claimedBy: null, interrupted: false });
        at.emit({ type: 'feature_cancelled', feature: brief(now) });
        return view(await features.require(tx, actor.projectId, slug));
      }),
    );
  }

  /** Adopts what a lost session left (interrupted) or a session that ended parked, under a new fence, with no gap for others. */
  async function resume(actor: SessionActor, slug: string): Promise<Feature> {
    const own = await rules(actor.projectId);
    const attempt = () =>
      claims.attempt(actor.projectId, () =>
        ledger.change(actor, 'resume', async (tx, at) => {
          const [, row] = await Promise.all([requireLive(tx, actor.session), features.require(tx, actor.projectId, slug)]);
          if (row.hold?.sessionId === actor.session.id && !row.hold.parked) return view(row);
          if (row.hold && !row.hold.parked) throw heldBy(row);
          if (!row.hold && !(row.status === 'ready' && row.interrupted))
            throw illegal(row, `Nothing of it waits to be resumed. Pick it instead (nexus feature pick ${slug}).`);
          // What is parked is handed over as it stands: it may have grown, or shrunk, since it was picked.
          const wanted = row.hold ? await claimsOfFeature(tx, actor.projectId, slug) : claimable(row.touches, own);
          if (row.hold) await endAll(tx, at, [row.hold], 'handed_over');
          requireFree(await obstacles(tx, actor.projectId, wanted, actor.session.lineage));
          return activate(tx, at, actor, { ...row, interrupted: true }, wanted);
        }),
      );
    return ledger.retriable(actor, attempt);
  }

  /** A lead any hold, an engineer those of the own sessions. The fence is quoted so that nobody breaks a newer hold by mistake. */
  async function forceRelease(actor: Actor, slug: string, fence: number, reason: string): Promise<Feature> {
    return claims.attempt(actor.projectId, () =>
      ledger.change(actor, 'force', async (tx, at) => {
        const row = await features.require(tx, actor.projectId, slug);
        const { hold } = row;
        if (!hold) throw illegal(row, 'Nothing holds it.');
        if (hold.engineerId !== actor.engineer.id && actor.role !== 'lead') {
          throw new AppError(
            'INSUFFICIENT_ROLE',
            `${slug} is held by ${hold.engineerName}. Ask them, or a lead of the project, to release it.`,
          );
        }
        if (hold.fence !== fence) throw fenced(row, fence);
        return close(tx, at, row, hold, await claimsOfFeature(tx, actor.projectId, slug), {
          verb: 'force',
          as: 'forced',
          to: 'ready',
          event: 'feature_released',
          interrupted: true,
          data: { reason: 'forced', note: reason, from: { sessionId: hold.sessionId, engineerName: hold.engineerName } },
        });
      }),
    );
  }

  /** Someone has it: whether that is so is looked at outside the transaction, for the holder may be dead. */
  const heldBy = (row: FeatureRow) => {
    const { hold } = row;
    if (!hold) return illegal(row, '');
    const holder = {
      ...hold,
      projectId: row.projectId,
      featureId: row.id,
      featureSlug: row.slug,
      featureTitle: row.title,
      parkedAt: hold.parked ? hold.grantedAt : null,
      endedAs: null,
    };
    const next = hold.parked
      ? `It is parked: adopt it with nexus feature resume ${row.slug}.`
      : 'Pick other work (nexus feature pick-next), or wait until it is released.';
    return new InTheWay([holder], (left) => illegal(row, next, left));
  };

  return { pick, pickNext, release, done, cancel, resume, forceRelease };
}

const unmetError = (row: FeatureRow, unmet: string[]) =>
  new AppError(
    'DEPENDENCIES_UNMET',
    `${row.slug} waits for ${unmet.join(', ')}. Pick one of those, or other work (nexus feature pick-next).`,
    { details: { waitsFor: unmet } },
  );

/** What a pick checks ahead: another title or lane does not concern it. */
const needs = ({ touches, dependsOn }: FeatureRow) => JSON.stringify([touches, dependsOn]);

const changedMeanwhile = () => new AppError('REQUEST_IN_PROGRESS', 'The feature changed while it was being picked. Pick it again.');
