import { dirtyPaths, type RunGit } from '../hook/dirty.ts';
import type { Entry } from './registry.ts';

export type Survey = (entries: Entry[]) => void;

/** git must be quick, or the session is not reported; then nothing of it yields by itself. */
const statusMs = 5000;
const mostPaths = 500;

type Needs = { run: RunGit; everyMs: number; now?: () => number };

/** Looks now and then which paths are uncommitted where a session holds something; the next beat tells the server. */
export function createSurvey({ run, everyMs, now = Date.now }: Needs): Survey {
  const looked = new Map<string, number>();

  const look = async (toplevel: string, entries: Entry[]): Promise<void> => {
    const dirty = await dirtyPaths(run, toplevel, statusMs);
    if (dirty === undefined) return;
    const paths = [...dirty.keys()];
    for (const entry of entries) entry.dirty = { paths: paths.slice(0, mostPaths), more: paths.length > mostPaths };
  };

  return (entries) => {
    const holding = entries.filter(({ worktree, beat }) => worktree !== undefined && (beat?.holds.length ?? 0) > 0);
    for (const toplevel of new Set(holding.flatMap((entry) => entry.worktree ?? []))) {
      const group = holding.filter((entry) => entry.worktree === toplevel);
      // Somebody waits for what was seen last: a late look would give away what has been edited since.
      const urgent = group.some(({ requests }) => requests.some(({ state, yieldsAt }) => state === 'open' && yieldsAt !== null));
      if (!urgent && now() - (looked.get(toplevel) ?? 0) < everyMs) continue;
      looked.set(toplevel, now());
      void look(toplevel, group).catch(() => undefined);
    }
  };
}
