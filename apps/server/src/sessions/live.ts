import type { Queryable } from '../engines/database/database.ts';
import type { SessionRef } from '../platform/actor.ts';
import { isLive } from './sessions.store.ts';

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
