import type { ProjectStatus } from '@nexus/contract';
import type { Checks } from '../claims/index.ts';
import type { Database } from '../engines/database/database.ts';
import type { Features } from '../features/index.ts';
import type { Patches } from '../patches/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { Waiting } from '../waiting/index.ts';
import { totals } from './status.store.ts';

export type Status = ReturnType<typeof createStatus>;

/** The rest is in their own list. */
const PATCHES_SHOWN = 50;

/** Who works on what, at one glance. */
export function createStatus({
  database,
  features,
  checks,
  sessions,
  waiting,
  patches,
  cursor,
}: {
  database: Database;
  features: Features;
  checks: Checks;
  sessions: Sessions;
  waiting: Waiting;
  patches: Patches;
  cursor: (projectId: string) => Promise<string>;
}) {
  async function ofProject(projectId: string): Promise<ProjectStatus> {
    // The cursor first: what happens while the rest is read is then told twice rather than never.
    const at = await cursor(projectId);
    const [activeFeatures, interrupted, held, live, queue, offered, edits, uncommitted] = await Promise.all([
      features.ofStatus(projectId, 'active'),
      features.ofStatus(projectId, 'ready', { interrupted: true }),
      checks.list(projectId),
      sessions.active(projectId),
      waiting.list(projectId),
      patches.open(projectId, PATCHES_SHOWN),
      sessions.activity(projectId),
      sessions.uncommitted(projectId),
    ]);
    const unattended = await Promise.all(
      uncommitted.map(async (seen) => ({ ...seen, paths: await checks.unclaimed(projectId, seen.paths) })),
    );
    return {
      edits,
      unattended: unattended.filter(({ paths }) => paths.length > 0),
      activeFeatures,
      interrupted,
      claims: held,
      waiting: queue,
      patches: offered,
      sessions: live.map(({ session, engineer }) => ({ ...session, engineer })),
      cursor: at,
    };
  }

  return { ofProject, totals: () => totals(database.db) };
}
