import type { z } from 'zod';
import type { EndSessionBody, RemovedMember, Session } from '@nexus/contract';
import {
  closeSessions,
  latestCheckpoints,
  liveFamily,
  liveSessions,
  sessionById,
  type SessionRow,
  type Sessions,
  summary,
} from '../sessions/index.ts';
import {
  endAll,
  endWaitsOf,
  type Hold,
  holderOf,
  lastHoldOf,
  lastHoldsOfSession,
  openHolds,
  parkHolds,
  rememberFinished,
} from '../claims/index.ts';
import type { Database, Queryable } from '../engines/database/database.ts';
import { type LeaseStore, LeaseStoreUnavailable } from '../engines/leases/leases.ts';
import { featureById, moveOn } from '../features/index.ts';
import type { Change, Ledger } from '../ledger/index.ts';
import type { Actor, SystemActor } from '../platform/actor.ts';
import { AppError, notFound } from '../platform/errors.ts';
import type { Failpoint } from '../platform/failpoints.ts';
import type { Projects } from '../projects/index.ts';

export type Recovery = ReturnType<typeof createRecovery>;

type Needs = {
  database: Database;
  leases: LeaseStore;
  ledger: Ledger;
  members: Pick<Projects, 'leave' | 'memberChanged'>;
  failpoint: Failpoint;
  sessions: () => Sessions;
  onLost: () => void;
  /** After an outage: gives every lease of the project its whole time, before anybody is called stale. */
  freshen: (projectId: string) => Promise<void>;
  /** In the transaction in which sessions end: what else of theirs ends with them. */
  onLeave: (tx: Queryable, at: Change, sessionIds: string[]) => Promise<void>;
};

type Ending = z.output<typeof EndSessionBody>;
type Leaving = { as: 'lost' | 'released'; park: Set<string>; commit?: string | undefined };

/** What happens when someone leaves: by saying so, or by falling silent. */
export function createRecovery({ database, leases, ledger, members, failpoint, sessions, onLost, freshen, onLeave }: Needs) {
  /**
   * A session that is past its grace period (or `dead`: its process was seen to be gone) becomes lost in one
   * transaction: it, its children, all they hold, their features. Condemned first, so no late heartbeat revives it
   * meanwhile; a crash in between is finished by whoever sweeps next. False when it is alive.
   */
  async function lose(projectId: string, sessionId: string, options: { dead?: boolean; by?: Actor } = {}): Promise<boolean> {
    try {
      const condemned = await leases.condemn(projectId, sessionId, options.dead ? { dead: true } : {});
      // One that the store forgot, or that it cannot speak of without an index, is only lost on the word that it is dead.
      if ((condemned === 'alive' || condemned === 'unknown') && !options.dead) return false;
    } catch (error) {
      if (!(error instanceof LeaseStoreUnavailable) || !options.dead) throw error;
    }
    failpoint('lose.condemned');
    const by: Actor | SystemActor = options.by ? { ...options.by, idempotency: undefined } : { projectId, system: true };
    await ledger.change(by, 'lose', async (tx, at) => {
      const family = await liveFamily(tx, projectId, sessionId);
      if (family.length === 0) return;
      await leave(tx, at, family, { as: 'lost', park: new Set() });
    });
    onLost();
    return true;
  }

  /** Ends a session with its children. Holds of `unlanded` features stay, parked, for whoever resumes. */
  async function end(actor: Actor, sessionId: string, { reason, unlanded, commit }: Ending): Promise<Session> {
    const row = await sessions().refOf(sessionId);
    if (!row || row.projectId !== actor.projectId || row.engineerId !== actor.engineer.id) throw notFound();
    if (reason === 'died') {
      await lose(actor.projectId, sessionId, { dead: true, by: actor });
    } else {
      await ledger.change({ ...actor, idempotency: undefined }, 'end', async (tx, at) => {
        const family = await liveFamily(tx, actor.projectId, sessionId);
        if (family.length > 0) await leave(tx, at, family, { as: 'released', park: new Set(unlanded), commit });
      });
    }
    return sessions().get(actor.projectId, sessionId);
  }

  /**
   * Takes an engineer out of the project. In that commit their sessions in it are lost and all they hold, parked or not,
   * is free: nobody who is not in may stand in somebody's way. Nobody else's work is touched.
   */
  async function expel(actor: Actor, engineerId: string): Promise<RemovedMember> {
    const removed = await ledger.change(actor, 'expel', async (tx, at) => {
      await members.leave(tx, at, engineerId);
      const parked = (await openHolds(tx, at.projectId, { engineer: engineerId })).filter(({ parkedAt }) => parkedAt);
      const family = await liveSessions(tx, at.projectId, engineerId);
      const ended = await leave(tx, at, family, { as: 'lost', park: new Set() });
      await free(tx, at, parked, 'lost', 'member removed');
      const interrupted = [...ended, ...parked].flatMap(({ featureSlug, landing }) => (landing ? [] : (featureSlug ?? [])));
      return { projectId: at.projectId, engineerId, interrupted };
    });
    members.memberChanged(actor.projectId, engineerId);
    return removed;
  }

  async function leave(tx: Queryable, at: Change, family: SessionRow[], { as, park, commit }: Leaving) {
    const holds = (await openHolds(tx, at.projectId, { sessions: family.map(({ id }) => id) })).filter(({ parkedAt }) => !parkedAt);
    const parked = holds.filter(({ featureSlug }) => featureSlug !== null && park.has(featureSlug));
    const ended = holds.filter((hold) => !parked.includes(hold));
    if (parked.length > 0)
      await parkHolds(
        tx,
        parked.map(({ id }) => id),
      );
    if (commit !== undefined && ended.length > 0)
      at.write(
        rememberFinished(
          tx,
          ended.map(({ id }) => id),
          commit,
        ),
      );
    await free(tx, at, ended, as);
    const ids = family.map(({ id }) => id);
    await endWaitsOf(tx, at, ids, 'lost');
    await onLeave(tx, at, ids);
    await closeSessions(
      tx,
      family.map(({ id }) => id),
      at.version(),
      as === 'lost' ? 'lost' : 'ended',
    );
    for (const session of family) {
      at.index.sessionsClosed.push(session.id);
      at.emit({
        type: 'session_ended',
        of: { engineerId: session.engineerId, engineerName: session.engineerName, sessionId: session.id, agent: session.agent },
        data: {
          sessionId: session.id,
          agent: session.agent,
          reason: as === 'lost' ? 'lost' : 'ended',
          parked: parked.filter(({ sessionId }) => sessionId === session.id).map(({ featureSlug }) => featureSlug),
        },
      });
    }
    return ended;
  }

  /** Ends holds that their session does not end itself; features go back to ready, with what was begun marked as such. */
  async function free(tx: Queryable, at: Change, holds: Hold[], as: 'lost' | 'released', reason: string = as) {
    const paths = await endAll(tx, at, holds, as);
    const standing = holds.flatMap(({ featureId }) => (featureId ? [featureId] : []));
    if (standing.length > 0)
      await moveOn(tx, standing, ['active'], { status: 'ready', holdId: null, claimedBy: null, interrupted: as === 'lost' });
    const checkpoints = await latestCheckpoints(tx, at.projectId, standing);
    for (const hold of holds) {
      const of = { engineerId: hold.engineerId, engineerName: hold.engineerName, sessionId: hold.sessionId, agent: hold.agent };
      const row = hold.featureId ? await featureById(tx, at.projectId, hold.featureId) : undefined;
      const feature = row ? { feature: { id: row.id, slug: row.slug, title: row.title } } : landingFeature(hold);
      const last = row && checkpoints.get(row.id);
      const checkpoint = last ? summary(last) : null;
      if (row) at.emit({ type: 'feature_released', ...feature, of, data: { reason, fence: hold.fence, checkpoint } });
      const freed = paths.get(hold.id) ?? [];
      if (freed.length > 0) at.emit({ type: 'files_released', ...feature, of, data: { paths: freed, fence: hold.fence, reason } });
    }
  }

  /** A parked hold nobody resumed: its feature is ready again, marked as interrupted. One whose commit never landed just ends. */
  async function expireParked(projectId: string, holdId: string): Promise<void> {
    await ledger.change({ projectId, system: true }, 'unpark', async (tx, at) => {
      const holds = (await openHolds(tx, projectId, {})).filter(({ id, parkedAt }) => id === holdId && parkedAt !== null);
      for (const { id, landing } of holds) if (landing?.commit) await rememberFinished(tx, [id], landing.commit);
      const [landing, left] = [holds.filter((hold) => hold.landing), holds.filter((hold) => !hold.landing)];
      await free(tx, at, landing, 'released', 'did not land in time');
      await free(tx, at, left, 'lost', 'parked too long');
    });
  }

  /** A parked hold yields to whoever asks for its paths. */
  const unpark = (tx: Queryable, at: Change, hold: Hold): Promise<void> => free(tx, at, [hold], 'lost', 'requested');

  /** Of these sessions, ends those past their grace period; how many that were. */
  async function loseStale(projectId: string, sessionIds?: string[]): Promise<number> {
    try {
      await freshen(projectId);
      const stale = await leases.stale(projectId);
      const doomed = sessionIds ? stale.filter((id) => sessionIds.includes(id)) : stale;
      let lost = 0;
      for (const id of doomed) if (await lose(projectId, id)) lost += 1;
      return lost;
    } catch (error) {
      // While the store is away nobody can be called stale.
      if (error instanceof LeaseStoreUnavailable) return 0;
      throw error;
    }
  }

  /** 410: what became of the session, what it held, and who has that now. */
  async function over(sessionId: string): Promise<AppError> {
    const row = await sessionById(database.db, sessionId);
    const had = await lastHoldsOfSession(database.db, sessionId, 10);
    const holds = await Promise.all(
      had.map(async (hold) => {
        const now = hold.featureId ? await lastHoldOf(database.db, hold.featureId) : undefined;
        const holder = now && !now.endedAs && now.id !== hold.id ? holderOf(now, new Map()) : null;
        return {
          featureSlug: hold.featureSlug,
          fence: hold.fence,
          endedAs: hold.endedAs,
          parked: hold.parkedAt !== null && !hold.endedAs,
          heldBy: holder,
        };
      }),
    );
    const taken = holds.find(({ heldBy }) => heldBy);
    const who = taken?.heldBy ? ` ${taken.featureSlug} is now held by ${taken.heldBy.engineerName} (${taken.heldBy.agent}).` : '';
    return new AppError(
      'SESSION_LOST',
      `This session is ${row?.status === 'ended' ? 'over' : 'lost'} and changes nothing any more.${who} Open a new session and pick again.`,
      {
        details: { sessionId, status: row?.status ?? 'lost', endedAt: row?.endedAt ?? null, holds },
      },
    );
  }

  return { lose, end, expel, loseStale, expireParked, unpark, over };
}

const landingFeature = ({ landing, featureSlug, featureTitle }: Hold) =>
  landing && featureSlug ? { feature: { id: landing.featureId, slug: featureSlug, title: featureTitle ?? featureSlug } } : {};
