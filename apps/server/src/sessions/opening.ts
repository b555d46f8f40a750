import type { OpenSessionBody, Session } from '@nexus/contract';
import type { Database } from '../engines/database/database.ts';
import type { LeaseStore } from '../engines/leases/leases.ts';
import type { Ledger } from '../ledger/index.ts';
import type { Actor, SessionActor, SessionRef } from '../platform/actor.ts';
import { AppError, notFound } from '../platform/errors.ts';
import type { Refs } from './refs.ts';
import {
  featureExists,
  insertSession,
  isLive,
  leftBehind,
  renewTerms,
  sessionById,
  sessionOfAgent,
  type SessionRow,
} from './sessions.store.ts';
import { view } from './view.ts';

export type OpeningNeeds = {
  database: Database;
  leases: LeaseStore;
  ledger: Ledger;
  refs: Refs;
  terms: { keptMs: number; unkeptMs: number; defaultMs: number };
  /** Renews the lease of a session that exists already; false when it is over. */
  revives: (row: SessionRow) => Promise<boolean>;
  /** That the store is away is noted, and fails nothing. */
  quietly: (work: Promise<unknown>) => Promise<void>;
  /** The 410 for a session that is over: says what it had and who holds it now. */
  over: (sessionId: string) => Promise<AppError>;
};

/** How a session begins: opened by its agent, or made for a bare client that names none. */
export function createOpening({ database, leases, ledger, refs, terms, revives, quietly, over }: OpeningNeeds) {
  const { refOf, toRef } = refs;

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
        refs.forget(existing.id);
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

  return { open, acting, reading };
}
