import { LRUCache } from 'lru-cache';
import type { Database } from '../engines/database/database.ts';
import type { Principal, SessionRef } from '../platform/actor.ts';
import { AppError } from '../platform/errors.ts';
import { isUuid } from '../platform/ids.ts';
import { sessionById, sessionOfAgent, type SessionRow } from './sessions.store.ts';

export type Refs = ReturnType<typeof createRefs>;

/** Which session is meant: by its id, or by the agent's own name for it. */
export function createRefs({ database }: { database: Database }) {
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

  return { toRef, refOf, resolve, forget: (id: string) => void known.delete(id) };
}
