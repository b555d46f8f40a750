import type { Session } from '@nexus/contract';
import { LeaseStoreUnavailable } from '../engines/leases/leases.ts';
import { notFound } from '../platform/errors.ts';
import { createHeartbeats, type HeartbeatNeeds } from './heartbeats.ts';
import { createOpening, type OpeningNeeds } from './opening.ts';
import { createRefs } from './refs.ts';
import { activityOf, dirtyWorktrees, liveSessions, sessionById } from './sessions.store.ts';
import { view } from './view.ts';

export type Sessions = ReturnType<typeof createSessions>;

type Needs = Omit<HeartbeatNeeds, 'refs'> & Pick<OpeningNeeds, 'ledger' | 'terms'>;

/** Who is at work. A session is one agent terminal; its lease lives in the lease store, its existence in the ledger. */
export function createSessions(needs: Needs) {
  const { database, leases, storeWasAway } = needs;
  const refs = createRefs(needs);
  const { revives, quietly, ...beating } = createHeartbeats({ ...needs, refs });
  const opening = createOpening({ ...needs, refs, revives, quietly });

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

  const { resolve, refOf } = refs;
  return { ...opening, ...beating, resolve, refOf, activity, uncommitted, deadlines, active, get };
}
