import type { Client } from '@nexus/client';
import { keepWork, type Workplace } from '../wip/keep.ts';
import type { Actor } from './actor.ts';
import type { Place } from './places.ts';

/** Git on a large tree, and the server: behind the answer there is time. */
const callMs = 5000;

/** Checkpoints that nobody asks for: at the end of a turn, and before an agent forgets half of what it knows. */
export function createAutosave(log: (line: string) => void) {
  const running = new Map<string, Promise<void>>();

  /** Where the session holds a feature. Single flight: turns may end faster than git looks. */
  async function save(actor: Actor, place: Place, { left }: { left: boolean }): Promise<void> {
    // A command may have picked something since.
    if (actor.own.readAt() === 0) await actor.own.read();
    if (actor.own.holds().every(({ featureSlug }) => featureSlug === null)) return;
    const { project, session } = actor;
    const client: Client = actor.client.with({ timeout: callMs });
    const what = { projectId: project.projectId, sessionId: session.id, at: workplace(actor, place), type: 'auto_periodic' as const, left };
    const work = (running.get(session.id) ?? Promise.resolve())
      .then(() => keepWork({ client, ...what }))
      .catch((error: unknown) => log(`session ${session.id}: no checkpoint: ${String(error)}`));
    running.set(session.id, work);
    await work;
    if (running.get(session.id) === work) running.delete(session.id);
  }

  return { save };
}

export type Autosave = ReturnType<typeof createAutosave>;

export function workplace({ session }: Actor, { worktree }: Place): Workplace {
  const { machine } = session.metadata;
  return { toplevel: worktree.toplevel, gitDir: worktree.gitDir, machine: typeof machine === 'string' ? machine : '' };
}
