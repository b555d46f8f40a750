import type { z } from 'zod';
import type { DoneBody, Feature, HoldActionBody, Undeclared } from '@nexus/contract';
import {
  type Claims,
  claimsOfFeature,
  endAll,
  endKnown,
  grant,
  isResource,
  lastHoldOf,
  openHolds,
  rememberFinished,
} from '../claims/index.ts';
import type { Database, Queryable } from '../engines/database/database.ts';
import type { HoldEnd } from '../engines/leases/leases.ts';
import type { Change, Ledger } from '../ledger/index.ts';
import type { Actor, SessionActor } from '../platform/actor.ts';
import { AppError } from '../platform/errors.ts';
import type { Rules } from '../projects/index.ts';
import { requireLive } from '../sessions/index.ts';
import { account, type Actual, actualOf, readDeclared } from './actual.ts';
import type { Features } from './features.ts';
import { brief, fenced, heldBy, illegal } from './refusals.ts';
import { type FeatureRow, moveOn, view } from './features.store.ts';

export type Endings = ReturnType<typeof createEndings>;

type Needs = {
  database: Database;
  ledger: Ledger;
  features: Features;
  claims: Claims;
  rules: (projectId: string) => Promise<Rules>;
};

type HoldAction = z.output<typeof HoldActionBody>;
type Held = Awaited<ReturnType<typeof claimsOfFeature>>;
type Ending = {
  verb: string;
  as: HoldEnd;
  to: 'ready' | 'done' | 'cancelled';
  event: 'feature_released' | 'feature_completed' | 'feature_cancelled';
  interrupted?: boolean;
  /** The commit that has the work. */
  commit?: string | undefined;
  /** Its paths stay held until the commit has landed. */
  landing?: boolean;
  /** What the session tells of its writes. */
  actual?: Actual;
  data?: Record<string, unknown>;
};

/** Who stops working on what: every step is one commit, conditional on the hold that stands for the feature. */
export function createEndings({ database, ledger, features, claims, rules }: Needs) {
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
            readDeclared(tx, actor.projectId, slug, ending.actual),
          ]),
        async (tx, at, [, row, held, declared]) => {
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
          const { hold } = row;
          const undeclared = ending.actual ? await account(tx, at, { ...row, hold }, held, declared, ending.actual) : [];
          return close(tx, at, row, hold, held, ending, undeclared);
        },
      ),
    );
  }

  /** `held`: what the hold has, as read under this lock. */
  function close(
    tx: Queryable,
    at: Change,
    row: FeatureRow,
    hold: NonNullable<FeatureRow['hold']>,
    held: Held,
    ending: Ending,
    undeclared: Undeclared[] = [],
  ): Feature {
    // No commit brings a resource to the default branch.
    const kept = ending.landing ? held.filter((claim) => claim.mode === 'write' && !isResource(claim)) : [];
    if (ending.commit !== undefined && kept.length === 0) at.write(rememberFinished(tx, [hold.id], ending.commit));
    const paths = endKnown(tx, at, [hold.id], held, ending.as).get(hold.id) ?? [];
    const isDone = ending.to === 'done';
    const to = { status: ending.to, holdId: null, claimedBy: isDone ? hold.engineerId : null, interrupted: ending.interrupted ?? false };
    at.write(moveOn(tx, [row.id], ['active'], to));
    at.emit({
      type: ending.event,
      feature: brief(row),
      data: { fence: hold.fence, ...commitOf(ending), ...toldOf(undeclared, ending), ...ending.data },
    });
    if (paths.length > 0) at.emit({ type: 'files_released', feature: brief(row), data: { paths, fence: hold.fence } });
    // A hold of its own, under a new fence and with no gap: the feature is done, and no hold stands for it any more.
    const landing = { commit: ending.commit ?? null };
    const holder = { id: hold.sessionId, engineerId: hold.engineerId };
    if (kept.length > 0) grant(tx, at, { session: holder, feature: brief(row), claims: kept, landing });
    const ended = {
      ...row,
      status: to.status,
      claimedBy: to.claimedBy,
      interrupted: to.interrupted,
      claimedAt: isDone ? row.claimedAt : null,
      completedAt: isDone ? at.now : null,
      updatedAt: at.now,
      version: row.version + 1,
      hold: null,
    };
    const warnings = [...(kept.length > 0 ? [landsLater(row.slug, landing.commit)] : []), ...neverDeclared(undeclared)];
    return { ...view(ended, warnings), ...(ending.actual?.written ? { undeclared } : {}) };
  }

  const release = (actor: SessionActor, slug: string, { fence, commit }: HoldAction) =>
    end(actor, slug, fence, {
      verb: 'release',
      as: 'released',
      to: 'ready',
      event: 'feature_released',
      commit,
      data: { reason: 'released' },
    });

  async function done(actor: SessionActor, slug: string, { fence, commit, ...told }: z.output<typeof DoneBody>): Promise<Feature> {
    const own = await rules(actor.projectId);
    const actual = actualOf(told, own);
    return end(actor, slug, fence, {
      verb: 'done',
      as: 'released',
      to: 'done',
      event: 'feature_completed',
      commit,
      landing: own.landing,
      actual,
    });
  }

  /** Said by whoever sees it on the default branch: CI, a keeper, a person. Once more is the same. */
  async function landed(actor: Actor, slug: string, commit: string | undefined): Promise<Feature> {
    return ledger.change(actor, 'landed', async (tx, at) => {
      const row = await features.require(tx, actor.projectId, slug);
      const [hold] = await openHolds(tx, actor.projectId, { landingOf: row.id });
      if (!hold && row.status !== 'done') throw illegal(row, 'Only what is done can land.');
      if (!hold) return view(row);
      const name = commit ?? hold.landing?.commit ?? undefined;
      if (name !== undefined) await rememberFinished(tx, [hold.id], name);
      const paths = (await endAll(tx, at, [hold], 'released')).get(hold.id) ?? [];
      at.emit({
        type: 'files_released',
        feature: brief(row),
        data: { paths, fence: hold.fence, reason: 'landed', ...commitOf({ commit: name }) },
      });
      return view(row);
    });
  }

  /** An active feature by its holder; a draft or ready one by any member. Once more is the same. */
  async function cancel(actor: Actor, slug: string, { fence, commit }: HoldAction): Promise<Feature> {
    const row = await features.require(database.db, actor.projectId, slug);
    const ending: Ending = { verb: 'cancel', as: 'released', to: 'cancelled', event: 'feature_cancelled', commit };
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

  return { release, done, landed, cancel, forceRelease };
}

const commitOf = ({ commit }: Pick<Ending, 'commit'>) => (commit === undefined ? {} : { commit });

/** An event is read by many: the names of a few, and the rest in the history. */
const MOST_TOLD = 20;
const toldOf = (undeclared: Undeclared[], { actual }: Pick<Ending, 'actual'>) =>
  undeclared.length === 0
    ? {}
    : {
        undeclared: undeclared.slice(0, MOST_TOLD).map(({ path }) => path),
        undeclaredCount: undeclared.length,
        ...(actual?.explanation ? { explanation: actual.explanation } : {}),
      };

const neverDeclared = (undeclared: Undeclared[]) =>
  undeclared.length === 0
    ? []
    : [
        `${undeclared.length} of the written paths ${undeclared.length === 1 ? 'was' : 'were'} never declared: ${undeclared
          .slice(0, 5)
          .map(({ path, heldBy }) => (heldBy ? `${path} (held by ${heldBy.engineerName}, ${heldBy.agent})` : path))
          .join(', ')}${undeclared.length > 5 ? ', …' : ''}.`,
      ];

const landsLater = (slug: string, commit: string | null) =>
  `Its paths stay held until ${commit?.slice(0, 10) ?? 'its work'} is on the default branch, or for 72 h. Where nobody sees that by itself: nexus feature landed ${slug}.`;
