import { LRUCache } from 'lru-cache';
import type { Heartbeat, Heartbeats } from '@nexus/contract';
import type { Database } from '../engines/database/database.ts';
import { type Beat, type LeaseStore, LeaseStoreUnavailable } from '../engines/leases/leases.ts';
import type { Actor, Principal, SessionRef } from '../platform/actor.ts';
import { type AppError, isDatabaseAway, notFound } from '../platform/errors.ts';
import type { Refs } from './refs.ts';
import { addActivity, keepDirty, sessionById, type SessionRow } from './sessions.store.ts';
import { together } from './together.ts';

export type News = Pick<Heartbeat, 'requests' | 'messages' | 'patches'>;
type Dirty = Array<{ session: string; paths: string[]; more: boolean }>;
type Activity = Array<{ session: string; edits: number; denials: number }>;

/** A script in Redis lets nobody else in while it runs: 100 sessions take it half a millisecond. */
const AT_ONCE = 100;

export type HeartbeatNeeds = {
  database: Database;
  leases: LeaseStore;
  refs: Refs;
  /** Brings the lease store's index up to the ledger; throws when either is away. */
  bringUp: (projectId: string) => Promise<void>;
  storeWasAway: () => void;
  /** Ends what a session that is past its grace period left. */
  lose: (projectId: string, sessionId: string) => Promise<boolean>;
  /** The 410 for a session that is over: says what it had and who holds it now. */
  over: (sessionId: string) => Promise<AppError>;
  /** What sessions are to be told with a beat. Never throws. */
  news: (sessions: SessionRef[]) => Promise<(session: string) => News>;
  /** What is uncommitted in their worktrees. Never throws. */
  dirty: (reports: Dirty, projectOf: (session: string) => string | undefined) => Promise<void>;
};

/** What keeps a lease going: a beat, the keeper's batch of them, every write. */
export function createHeartbeats({ database, leases, refs, bringUp, storeWasAway, lose, over, news, dirty: noteDirty }: HeartbeatNeeds) {
  const { refOf } = refs;

  /** A heartbeat revives a stale session; one that is past its grace period is lost on the spot. */
  async function revives(row: SessionRow): Promise<boolean> {
    const [beat] = await beats(row.projectId, [row.id], { keepLost: true });
    if (!beat) return true;
    if (beat.state === 'condemned') await lose(row.projectId, row.id);
    return beat.state === 'ok';
  }

  /**
   * Renews. A session the store does not know may be one it forgot: the ledger knows. Without an answer: the store is away,
   * and then nothing expires.
   */
  async function beats(projectId: string, ids: string[], options: { keepLost?: boolean } = {}): Promise<Beat[] | []> {
    try {
      const first = await leases.beat(projectId, ids, options);
      const unknown = first.flatMap((beat) => (beat.state === 'unknown' ? [beat.session] : []));
      if (unknown.length === 0) return first;
      const live = new Set<string>();
      try {
        await bringUp(projectId);
        for (const id of unknown) {
          const row = await sessionById(database.db, id);
          if (row?.status !== 'active' || row.projectId !== projectId) continue;
          live.add(id);
          await leases.open(projectId, id, row.ttlMs);
        }
      } catch (error) {
        // The ledger is away too: it cannot be told from a forgotten one, and an outage of ours ends nothing.
        if (isDatabaseAway(error)) return [];
        throw error;
      }
      const again = new Map((await leases.beat(projectId, unknown, options)).map((beat) => [beat.session, beat]));
      // Forgotten once more in between: the store has no word on one that the ledger knows to live.
      return first.map((beat) => again.get(beat.session) ?? beat).filter(({ session, state }) => state !== 'unknown' || !live.has(session));
    } catch (error) {
      if (!(error instanceof LeaseStoreUnavailable)) throw error;
      storeWasAway();
      return [];
    }
  }

  /** By project. A map would keep what nobody asks for any more. */
  const joint = new LRUCache<string, (session: string) => Promise<Map<string, Beat>>>({ max: 1000 });

  async function oneBeat({ id, projectId }: SessionRef): Promise<Beat | undefined> {
    let beatOf = joint.get(projectId);
    if (!beatOf) {
      const call = async (ids: string[]) => new Map((await leases.beat(projectId, ids)).map((beat) => [beat.session, beat]));
      joint.set(projectId, (beatOf = together(call, AT_ONCE)));
    }
    try {
      const beat = (await beatOf(id)).get(id);
      if (beat?.state !== 'unknown') return beat;
    } catch (error) {
      if (!(error instanceof LeaseStoreUnavailable)) throw error;
      storeWasAway();
      return undefined;
    }
    // By itself: nobody else's beat waits for the ledger.
    const [beat] = await beats(projectId, [id]);
    return beat;
  }

  async function heartbeat(actor: Principal & { projectId: string }, sessionId: string): Promise<Heartbeat> {
    const ref = await refOf(sessionId);
    if (!ref || ref.projectId !== actor.projectId || ref.engineerId !== actor.engineer.id) throw notFound();
    const beat = await oneBeat(ref);
    if (beat && beat.state !== 'ok') {
      if (beat.state === 'condemned') await lose(ref.projectId, ref.id);
      throw await over(ref.id);
    }
    return { ok: true, ...renewal(ref.ttlMs, beat, (await news([ref]))(ref.id)) };
  }

  /** Renews many, of any project of the caller's. Always an answer for each, in the order asked. */
  async function heartbeats(
    { engineer, boundTo }: Principal,
    ids: string[],
    activity: Activity = [],
    dirty: Dirty = [],
  ): Promise<Heartbeats> {
    const refs = await Promise.all(ids.map((id) => refOf(id)));
    const mine = refs.filter(
      (ref) => ref !== undefined && ref.engineerId === engineer.id && (boundTo === null || ref.projectId === boundTo),
    ) as SessionRef[];
    const byProject = Map.groupBy(mine, ({ projectId }) => projectId);
    const answers = new Map<string, Beat>();
    await Promise.all(
      [...byProject].map(async ([projectId, group]) => {
        for (const beat of await beats(projectId, [...new Set(group.map(({ id }) => id))])) answers.set(beat.session, beat);
      }),
    );
    const owned = new Map(mine.map((ref) => [ref.id, ref]));
    const seen = activity.filter(({ session }) => owned.has(session));
    // Worth a statistic, not a heartbeat.
    if (seen.length > 0) await Promise.resolve(addActivity(database.db, seen)).catch(() => undefined);
    const reported = dirty.filter(({ session }) => owned.has(session));
    if (reported.length > 0) await Promise.resolve(keepDirty(database.db, reported)).catch(() => undefined);
    void noteDirty(dirty, (session) => owned.get(session)?.projectId);
    const newsOf = await news([...owned.values()]);
    return {
      sessions: ids.map((id) => {
        const ref = owned.get(id);
        const beat = answers.get(id);
        if (!ref) return { id, state: 'unknown' as const, ...nothing };
        if (beat && beat.state !== 'ok') return { id, state: 'over' as const, ...nothing };
        return { id, state: 'ok' as const, ...renewal(ref.ttlMs, beat, newsOf(id)) };
      }),
    };
  }

  const nothing = { leaseSeconds: 0, expiresAt: null, holds: [], lost: [], requests: [], messages: [], patches: [], degraded: false };

  const renewal = (ttlMs: number, beat: Extract<Beat, { state: 'ok' }> | undefined, told: News) => ({
    leaseSeconds: (beat?.ttlMs ?? ttlMs) / 1000,
    expiresAt: new Date(Date.now() + (beat?.ttlMs ?? ttlMs)).toISOString(),
    holds: (beat?.holds ?? []).map(({ label, fence }) => ({ featureSlug: label, fence })),
    lost: (beat?.lost ?? []).map(({ label, fence, as }) => ({
      featureSlug: label,
      fence,
      reason: as === 'released' ? ('forced' as const) : as,
    })),
    ...told,
    degraded: beat === undefined,
  });

  /** Every write in a session renews it; that the store is away does not concern the write. */
  const renew = (actor: Actor) => {
    if (actor.session) void quietly(leases.beat(actor.projectId, [actor.session.id], { keepLost: true }));
  };

  async function quietly(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof LeaseStoreUnavailable)) throw error;
      storeWasAway();
    }
  }

  return { heartbeat, heartbeats, renew, revives, quietly };
}
