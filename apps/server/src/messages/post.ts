import type { Message } from '@nexus/contract';
import type { Database } from '../engines/database/database.ts';
import { isDatabaseAway } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { within } from '../platform/within.ts';
import { sessionsToTell, tell } from './messages.store.ts';

/** A beat waits no longer for the database: it must be answered while that is away. */
const PATIENCE_MS = 300;

/** Brings messages to sessions, with their heartbeats. */
export function createPost({ database, log }: { database: Database; log: Log }) {
  /** Whom there is something for: the beats of all others cost the database nothing. */
  let waiting = new Set<string>();

  /** By session: what its beat tells it. Never throws: a heartbeat must not fail for it. */
  async function of(sessions: Array<{ id: string }>): Promise<Map<string, Message[]>> {
    const found = new Map<string, Message[]>();
    const asked = sessions.flatMap(({ id }) => (waiting.has(id) ? [id] : []));
    if (asked.length === 0) return found;
    try {
      for (const { session, message } of await within(PATIENCE_MS, tell(database.db, asked)))
        found.set(session, [...(found.get(session) ?? []), message]);
    } catch (error) {
      if (!isDatabaseAway(error)) log.error({ err: error }, 'messages could not be read for a heartbeat');
    }
    return found;
  }

  return {
    of,
    sent: (sessions: string[]) => sessions.forEach((id) => waiting.add(id)),
    /** With every sweep, on every server: what others sent, and whose deadline passed. */
    async tick(): Promise<void> {
      waiting = new Set(await sessionsToTell(database.db));
    },
  };
}
