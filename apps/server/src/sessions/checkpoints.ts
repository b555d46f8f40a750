import { createHash } from 'node:crypto';
import type { Checkpoint, CheckpointBody } from '@nexus/contract';
import type { z } from 'zod';
import type { Database, Queryable } from '../engines/database/database.ts';
import type { Ledger } from '../ledger/index.ts';
import type { Actor, SessionActor } from '../platform/actor.ts';
import type { AppError } from '../platform/errors.ts';
import { notFound } from '../platform/errors.ts';
import { dropEntries, indexEntries } from '../search/index.ts';
import { deleteCheckpoints, insertCheckpoint, latestCheckpoints, surplusCheckpoints } from './checkpoints.store.ts';
import { requireLive, SessionOver } from './live.ts';
import type { Sessions } from './sessions.ts';
import { featureExists } from './sessions.store.ts';

export type Checkpoints = ReturnType<typeof createCheckpoints>;

type Needs = {
  database: Database;
  ledger: Ledger;
  sessions: Pick<Sessions, 'resolve' | 'renew'>;
  /** The open hold that stands for a feature, and all that its session holds; throws the refusal when the actor may not act under it. */
  standing: (
    tx: Queryable,
    actor: SessionActor,
    featureId: string,
    fence: number | undefined,
  ) => Promise<{ feature: { id: string; slug: string; title: string }; fence: number; paths: string[] }>;
  over: (sessionId: string) => Promise<AppError>;
};

/** What a session was doing, kept for whoever resumes: only its holder says so, in one commit with the event. */
export function createCheckpoints({ database, ledger, sessions, standing, over }: Needs) {
  /** Null when it is automatic, and nothing has changed since the last one. */
  async function save(caller: Actor, body: z.output<typeof CheckpointBody>): Promise<Checkpoint | null> {
    const session = await sessions.resolve(caller, caller.projectId, body.sessionId);
    const actor = { ...caller, session };
    try {
      const saved = await ledger.change(actor, 'checkpoint', async (tx, at): Promise<Checkpoint | null> => {
        await requireLive(tx, session);
        const { feature, fence, paths } = await standing(tx, actor, body.featureId, body.fence);
        const stateHash = hashOf([feature.id, body.context, paths]);
        const automatic = body.type !== 'manual';
        const last = automatic ? (await latestCheckpoints(tx, actor.projectId, [feature.id])).get(feature.id) : undefined;
        if (body.type === 'auto_periodic' && last?.stateHash === stateHash) return null;
        const made = {
          id: Bun.randomUUIDv7(),
          sessionId: session.id,
          featureId: feature.id,
          engineerId: session.engineerId,
          type: body.type,
          stateHash,
          activeClaims: paths,
          context: body.context,
          // What its agent wrote last must not be buried under what was noticed since.
          notes: body.notes ?? last?.notes ?? null,
          fence,
        };
        await insertCheckpoint(tx, { ...made, projectId: actor.projectId });
        // Without notes it tells what a machine saw: nobody looks for that.
        if (body.notes) {
          const { id, engineerId } = made;
          await indexEntries(tx, actor.projectId, [
            { kind: 'checkpoint', id, featureId: feature.id, engineerId, title: '', body: body.notes },
          ]);
        }
        const checkpoint = { ...made, engineerName: session.engineerName, agent: session.agent, isLatest: true, createdAt: at.now };
        at.emit({ type: 'checkpoint_added', feature, data: { fence, checkpoint: summary(checkpoint) } });
        return checkpoint;
      });
      sessions.renew(actor);
      return saved;
    } catch (error) {
      if (error instanceof SessionOver) throw await over(error.sessionId);
      throw error;
    }
  }

  async function latest(projectId: string, featureId: string): Promise<Checkpoint | null> {
    if (!(await featureExists(database.db, projectId, featureId))) throw notFound();
    return (await latestCheckpoints(database.db, projectId, [featureId])).get(featureId) ?? null;
  }

  /** Removes what is both older and more than what a feature keeps; its last one stays. */
  async function prune(keep: { keepDays: number; keepCount: number }): Promise<void> {
    for (const { projectId, ids } of await surplusCheckpoints(database.db, keep))
      await ledger.change({ projectId, system: true }, 'prune', async (tx) => {
        await deleteCheckpoints(tx, projectId, ids);
        await dropEntries(tx, projectId, 'checkpoint', ids);
      });
  }

  return { save, latest, prune };
}

/** What an event tells of a checkpoint: who wants all of it asks for it. */
export const summary = ({ id, type, notes, createdAt, context }: Checkpoint) => ({
  id,
  type,
  notes: notes && notes.slice(0, 300).toWellFormed(),
  createdAt,
  gitBranch: short(context['gitBranch']),
  gitCommit: short(context['gitCommit']),
});

const short = (value: unknown): string | null => (typeof value === 'string' ? value.slice(0, 200).toWellFormed() : null);

const hashOf = (state: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify(sorted(state)))
    .digest('hex')
    .slice(0, 32);

/** Keys in order, so that the same state is the same text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, sorted(inner)]);
}
