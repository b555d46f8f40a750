import {
  type Claims,
  collide,
  endWait,
  obstacles,
  obstaclesAmong,
  overdueWaits,
  projectsWaiting,
  type Queued,
  queueOf,
  waitById,
  type WaitRow,
  WaitOver,
  wantedBy,
} from '../claims/index.ts';
import { formatClaim } from '@nexus/paths';
import type { Database } from '../engines/database/database.ts';
import type { Pick as PickSlice } from '../features/index.ts';
import type { Committed, Ledger } from '../ledger/index.ts';
import type { SessionActor } from '../platform/actor.ts';
import { AppError, isDatabaseAway } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Role } from '@nexus/contract';
import type { Rules } from '../projects/index.ts';

export type Drain = ReturnType<typeof createDrain>;

type Needs = {
  database: Database;
  ledger: Ledger;
  claims: Claims;
  pick: PickSlice;
  rules: (projectId: string) => Promise<Rules>;
  membership: (engineerId: string, projectId: string) => Promise<Role | undefined>;
  log: Log;
};

/** Refusals after which the place stays: what is in the way passes. */
const passing = new Set(['FILE_ALREADY_CLAIMED', 'QUEUED_AHEAD', 'TOO_MANY_GLOBS', 'REQUEST_IN_PROGRESS', 'SERVICE_UNAVAILABLE']);

/**
 * Gives those who wait what has become free: after each ending on the server that ended it, and with every sweep on all.
 * It grants by the same pick and claim as everybody's, under the same lock, so twice is harmless and a crash anywhere heals.
 */
export function createDrain({ database, ledger, claims, pick, rules, membership, log }: Needs) {
  /** Where somebody waits, as far as this server knows: an ending elsewhere asks nothing of the database. */
  const known = new Set<string>();
  const running = new Map<string, { done: Promise<void>; again: boolean }>();
  let stopped = false;

  /** One round at a time; what is asked for meanwhile makes another round. Never throws: the next sweep tries again. */
  function now(projectId: string): Promise<void> {
    known.add(projectId);
    const under = running.get(projectId);
    if (under) {
      under.again = true;
      return under.done;
    }
    const run = { done: Promise.resolve(), again: true };
    running.set(projectId, run);
    run.done = (async () => {
      try {
        while (run.again && !stopped) {
          run.again = false;
          await round(projectId);
        }
      } catch (error) {
        if (!isDatabaseAway(error)) log.error({ err: error, projectId }, 'a queue could not be drained; the next sweep tries again');
      } finally {
        running.delete(projectId);
      }
    })();
    return run.done;
  }

  const soon = (projectId: string): void => {
    if (known.has(projectId) && !stopped) void now(projectId);
  };

  async function all(): Promise<void> {
    const projects = await projectsWaiting(database.db);
    for (const id of known) if (!projects.includes(id)) known.delete(id);
    for (const id of projects) await now(id);
  }

  async function round(projectId: string): Promise<void> {
    await expire(projectId);
    const queue = await queueOf(database.db, projectId, await rules(projectId));
    if (queue.length === 0) return void known.delete(projectId);
    const found = await obstacles(
      database.db,
      projectId,
      queue.flatMap((queued) => queued.claims),
      [],
    );
    const held = [...new Set(found.map((obstacle) => obstacle.held))];
    /** Those that stay, and what was granted a moment ago: nobody goes past either. */
    const before: Queued[] = [];
    for (const queued of queue) {
      const { wait, claims: wanted } = queued;
      const isHeld =
        wait.heldBy !== null || obstaclesAmong(wanted, held).some((obstacle) => !wait.lineage.includes(obstacle.held.hold.sessionId));
      if (!isHeld && !before.some((other) => collide(wantedBy(other), wantedBy(queued)))) await give(queued);
      before.push(queued);
    }
  }

  async function give({ wait, claims: wanted }: Queued): Promise<void> {
    try {
      const actor = await actorOf(wait);
      if (wait.feature) await pick.one(actor, wait.feature.slug, wait.id);
      else await claims.claim(actor, { paths: wanted.map(formatClaim), ...(wait.reason ? { reason: wait.reason } : {}) }, wait.id);
    } catch (error) {
      if (error instanceof WaitOver) return;
      if (!(error instanceof AppError)) throw error;
      if (passing.has(error.code) || isActive(error)) return;
      await refuse(wait, error.message);
    }
  }

  /** Whoever waits acts as if they had come back themselves. */
  async function actorOf(wait: WaitRow): Promise<SessionActor> {
    const { projectId, sessionId: id, engineerId, engineerName, engineerEmail, agent, lineage, ttlMs } = wait;
    const role = await membership(engineerId, projectId);
    if (role === undefined || role === 'readonly')
      throw new AppError('INSUFFICIENT_ROLE', `${engineerName} may not claim in this project any more.`);
    return {
      engineer: { id: engineerId, name: engineerName, email: engineerEmail, role: 'engineer' },
      keyId: wait.id,
      secret: 0,
      scopes: ['claim'],
      boundTo: projectId,
      idempotency: undefined,
      projectId,
      role,
      session: { id, projectId, engineerId, engineerName, agent, lineage, ttlMs },
      requestId: wait.id,
    };
  }

  async function expire(projectId: string): Promise<void> {
    const overdue = await overdueWaits(database.db, projectId);
    for (const wait of overdue) await end(wait, 'expired', null);
  }

  const refuse = (wait: WaitRow, note: string) => end(wait, 'refused', note);

  const end = ({ projectId, id }: WaitRow, as: 'expired' | 'refused', note: string | null): Promise<void> =>
    ledger.change({ projectId, system: true }, 'unwait', async (tx, at) => {
      const wait = await waitById(tx, projectId, id);
      if (wait && wait.endedAs === null) endWait(tx, at, wait, as, { note });
    });

  return {
    now,
    soon,
    all,
    somebodyWaits: (projectId: string): boolean => known.has(projectId),
    /** After a commit: did it let go of anything? */
    after: ({ projectId, index }: Pick<Committed, 'projectId' | 'index'>): void => {
      if (index.claimsEnded.length + index.holdsEnded.length + index.sessionsClosed.length > 0) soon(projectId);
    },
    stop: async () => {
      stopped = true;
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}

const isActive = ({ code, details }: AppError) =>
  code === 'INVALID_STATUS_TRANSITION' && (details as { status?: unknown } | undefined)?.status === 'active';
