import { LRUCache } from 'lru-cache';
import type { Heartbeat, Heartbeats, OpenSessionBody, Session } from '@nexus/contract';
import type { Database, Queryable } from '../engines/database/database.ts';
import { type Beat, type LeaseStore, LeaseStoreUnavailable } from '../engines/leases/leases.ts';
import type { Ledger } from '../ledger/index.ts';
import type { Actor, Principal, SessionActor, SessionRef } from '../platform/actor.ts';
import { AppError, isDatabaseAway, notFound } from '../platform/errors.ts';
import { isUuid } from '../platform/ids.ts';
import {
  activityOf,
  addActivity,
  dirtyWorktrees,
  featureExists,
  leftBehind,
  insertSession,
  isLive,
  keepDirty,
  liveSessions,
  renewTerms,
  sessionById,
  sessionOfAgent,
  type SessionRow,
} from './sessions.store.ts';

export type Sessions = ReturnType<typeof createSessions>;
export type News = Pick<Heartbeat, 'requests' | 'messages'>;
type Dirty = Array<{ session: string; paths: string[]; more: boolean }>;
type Activity = Array<{ session: string; edits: number; denials: number }>;

type Needs = {
  database: Database;
  leases: LeaseStore;
  ledger: Ledger;
  terms: { keptMs: number; unkeptMs: number; defaultMs: number };
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

/** Who is at work. A session is one agent terminal; its lease lives in the lease store, its existence in the ledger. */
export function createSessions({ database, leases, ledger, terms, bringUp, storeWasAway, lose, over, news, dirty: noteDirty }: Needs) {
  /** What never changes of a session; whether it is alive is not in here. */
  const known = new LRUCache<string, SessionRef>({ max: 50_000 });

  const toRef = (row: SessionRow): SessionRef => {
    const { id, projectId, engineerId, engineerName, agent, lineage, ttlMs } = row;
    const ref = { id, projectId, engineerId, engineerName, agent, lineage, ttlMs };
    known.set(id, ref);
    return ref;
  };

  async function refOf(id: string): Promise<SessionRef | undefined> {
    const hit = known.get(id);
    if (hit) return hit;
    const row = isUuid(id) ? await sessionById(database.db, id) : undefined;
    return row && toRef(row);
  }

  /** A session of the caller's, by its id or as `<agent>:<agent's session id>`. Foreign and unknown: 404. */
  async function resolve({ engineer }: Principal, projectId: string, name: string): Promise<SessionRef> {
    const colon = name.indexOf(':');
    let ref: SessionRef | undefined;
    if (colon > 0) {
      const row = await sessionOfAgent(database.db, projectId, engineer.id, name.slice(0, colon), name.slice(colon + 1));
      ref = row && toRef(row);
    } else {
      ref = await refOf(name);
    }
    if (!ref || ref.projectId !== projectId || ref.engineerId !== engineer.id) {
      throw new AppError('NOT_FOUND', 'No such session of yours in this project. Open one with POST /projects/:id/sessions.');
    }
    return ref;
  }

  /** Gets or creates the live session of (agent, agentSessionId), or the key's default one. `created` tells which. */
  async function open(actor: Actor, body: OpenSessionBody): Promise<{ session: Session; ref: SessionRef; created: boolean }> {
    const isDefault = body.agentSessionId === undefined;
    // The default one has one name, whoever opens it: calls that name no session must find it.
    const agent = isDefault ? 'default' : (body.agent ?? 'agent');
    const agentSessionId = body.agentSessionId ?? actor.keyId;
    const kept = body.keeper ?? false;
    const ttlMs = isDefault ? terms.defaultMs : kept ? terms.keptMs : terms.unkeptMs;
    const parent = body.parentId ? await requireParent(actor, body.parentId) : undefined;
    if (body.featureId && !(await featureExists(database.db, actor.projectId, body.featureId))) throw notFound();

    const existing = await sessionOfAgent(database.db, actor.projectId, actor.engineer.id, agent, agentSessionId);
    if (existing?.status === 'active' && (await revives(existing))) {
      const metadata = body.metadata ?? {};
      if (existing.keeper !== kept || Object.keys(metadata).length > 0) {
        const renewed = { keeper: existing.keeper || kept, ttlMs: kept && !isDefault ? terms.keptMs : existing.ttlMs, metadata };
        await renewTerms(database.db, existing.id, renewed);
        known.delete(existing.id);
        if (renewed.ttlMs !== existing.ttlMs) await quietly(leases.open(actor.projectId, existing.id, renewed.ttlMs));
      }
      const row = (await sessionById(database.db, existing.id)) ?? existing;
      return { session: view(row, row.ttlMs), ref: toRef(row), created: false };
    }

    const id = Bun.randomUUIDv7();
    const row = await ledger.change(actor, 'open', async (tx, at) => {
      const [raced, parentLives] = await Promise.all([
        sessionOfAgent(tx, actor.projectId, actor.engineer.id, agent, agentSessionId),
        parent ? isLive(tx, parent.id) : true,
      ]);
      if (raced?.status === 'active') return { ...raced, raced: true };
      if (!parentLives) throw notFound();
      const session = {
        id,
        projectId: actor.projectId,
        engineerId: actor.engineer.id,
        parentId: parent?.id ?? null,
        lineage: [id, ...(parent?.lineage ?? [])],
        agent,
        agentSessionId,
        keeper: kept,
        ttlMs,
        metadata: body.metadata ?? {},
        featureId: body.featureId ?? null,
      };
      await insertSession(tx, { ...session, ver: at.version() });
      at.index.sessionsOpened.push({ id, ttlMs });
      at.emit({
        type: 'session_started',
        of: { engineerId: actor.engineer.id, engineerName: actor.engineer.name, sessionId: id, agent },
        data: { sessionId: id, agent, parentId: session.parentId },
      });
      return {
        ...session,
        engineerName: actor.engineer.name,
        engineerEmail: actor.engineer.email,
        status: 'active' as const,
        createdAt: at.now,
        endedAt: null,
        raced: false,
      };
    });
    const resumable = row.raced || isDefault ? [] : await leftBehind(database.db, row);
    return { session: { ...view(row, row.ttlMs), ...(resumable.length > 0 ? { resumable } : {}) }, ref: toRef(row), created: !row.raced };
  }

  async function requireParent(actor: Actor, parentId: string): Promise<SessionRef> {
    const parent = await refOf(parentId);
    if (!parent || parent.projectId !== actor.projectId || parent.engineerId !== actor.engineer.id) throw notFound();
    if (parent.lineage.length >= 8)
      throw new AppError('VALIDATION_ERROR', 'Sessions nest at most 8 deep.', { details: { field: 'parentId' } });
    if (!(await isLive(database.db, parent.id))) throw await over(parent.id);
    return parent;
  }

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

  async function heartbeat(actor: Principal & { projectId: string }, sessionId: string): Promise<Heartbeat> {
    const ref = await refOf(sessionId);
    if (!ref || ref.projectId !== actor.projectId || ref.engineerId !== actor.engineer.id) throw notFound();
    const [beat] = await beats(ref.projectId, [ref.id]);
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

  const nothing = { leaseSeconds: 0, expiresAt: null, holds: [], lost: [], requests: [], messages: [], degraded: false };

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

  /** The actor in a session: the one it named, else the key's default one, which is made now. */
  async function acting(actor: Actor): Promise<SessionActor> {
    if (actor.session) return { ...actor, session: actor.session };
    const { ref } = await open({ ...actor, idempotency: undefined }, {});
    return { ...actor, session: ref };
  }

  /** The acting session for a read: nothing is made for it. Undefined: a bare client whose key has no default session yet. */
  async function reading(actor: Actor): Promise<SessionRef | undefined> {
    if (actor.session) return actor.session;
    const row = await sessionOfAgent(database.db, actor.projectId, actor.engineer.id, 'default', actor.keyId);
    return row?.status === 'active' ? toRef(row) : undefined;
  }

  /** Milliseconds left to each live session; empty while the store is away. */
  async function deadlines(projectId: string): Promise<Map<string, number>> {
    try {
      return new Map((await leases.list(projectId)).map(({ session, msLeft }) => [session, msLeft]));
    } catch (error) {
      if (!(error instanceof LeaseStoreUnavailable)) throw error;
      storeWasAway();
      return new Map();
    }
  }

  async function active(projectId: string) {
    const [live, left] = await Promise.all([liveSessions(database.db, projectId), deadlines(projectId)]);
    return live.map((row) => ({
      session: view(row, left.get(row.id)),
      engineer: { id: row.engineerId, name: row.engineerName, email: row.engineerEmail },
    }));
  }

  /** One session of the project, whoever's: for answers. */
  async function get(projectId: string, id: string): Promise<Session> {
    const row = await sessionById(database.db, id);
    if (!row || row.projectId !== projectId) throw notFound();
    return view(row, (await deadlines(projectId)).get(id));
  }

  const activity = (projectId: string) => activityOf(database.db, projectId);

  const uncommitted = (projectId: string) => dirtyWorktrees(database.db, projectId);

  return { resolve, open, activity, uncommitted, acting, reading, heartbeat, heartbeats, renew, deadlines, active, get, refOf };
}

function view(row: SessionRow, msLeft: number | undefined): Session {
  const over = row.status !== 'active';
  const now = Date.now();
  return {
    id: row.id,
    projectId: row.projectId,
    engineerId: row.engineerId,
    featureId: row.featureId,
    status: over ? row.status : msLeft !== undefined && msLeft < 0 ? 'stale' : 'active',
    lastHeartbeat: msLeft === undefined ? (row.endedAt ?? row.createdAt) : new Date(Math.min(now, now + msLeft - row.ttlMs)).toISOString(),
    metadata: row.metadata,
    createdAt: row.createdAt,
    parentId: row.parentId,
    agent: row.agent,
    agentSessionId: row.agentSessionId,
    keeper: row.keeper,
    leaseSeconds: row.ttlMs / 1000,
    expiresAt: over || msLeft === undefined ? null : new Date(now + msLeft).toISOString(),
  };
}

/** Thrown inside a transaction whose session is over; outside it becomes a 410 that says who holds now. */
export class SessionOver extends Error {
  override name = 'SessionOver';
  readonly sessionId: string;
  constructor(sessionId: string) {
    super('The session is over.');
    this.sessionId = sessionId;
  }
}

/** The acting session must be alive at this commit, whatever the lease store says. */
export async function requireLive(tx: Queryable, session: SessionRef): Promise<void> {
  if (!(await isLive(tx, session.id))) throw new SessionOver(session.id);
}
