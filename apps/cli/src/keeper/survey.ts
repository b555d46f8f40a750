import { dirtyPaths, type RunGit } from '../hook/dirty.ts';
import type { Entry } from './registry.ts';

export type Survey = (entries: Entry[]) => void;

/** git must be quick, or the session is not reported; then nothing of it yields by itself. */
const statusMs = 5000;
const mostPaths = 500;
/** All reports of one beat: far below what a server takes as a body, for without the beat the sessions are lost. */
const mostCharacters = 100_000;

/** The first reports that fit into one beat; the others go with the next. One that is too long by itself is cut. */
export function fitting<T extends { paths: string[]; more: boolean }>(reports: T[]): T[] {
  const fit: T[] = [];
  let left = mostCharacters;
  for (const report of reports) {
    const length = report.paths.reduce((sum, path) => sum + Buffer.byteLength(path) + 6, 100);
    if (length > left && fit.length > 0) break;
    const share = Math.floor((report.paths.length * left) / length);
    fit.push(length > left ? { ...report, paths: report.paths.slice(0, share / 2), more: true } : report);
    left -= length;
  }
  return fit;
}

type Needs = { run: RunGit; everyMs: number; now?: () => number };

/** Looks now and then which paths are uncommitted in the worktrees of sessions; the next beat tells the server. */
export function createSurvey({ run, everyMs, now = Date.now }: Needs): Survey {
  const looked = new Map<string, number>();

  const look = async (toplevel: string, entries: Entry[]): Promise<void> => {
    const dirty = await dirtyPaths(run, toplevel, statusMs);
    if (dirty === undefined) return;
    const paths = [...dirty.keys()];
    for (const entry of entries) entry.dirty = { paths: paths.slice(0, mostPaths), more: paths.length > mostPaths };
  };

  return (entries) => {
    for (const toplevel of new Set(entries.flatMap(({ worktree }) => worktree ?? []))) {
      const inThere = entries.filter(({ worktree }) => worktree === toplevel);
      const holding = inThere.filter(({ beat }) => (beat?.holds.length ?? 0) > 0);
      // What others leave there is seen as well by one that holds nothing.
      const group = holding.length > 0 ? holding : inThere.slice(0, 1);
      // Somebody waits for what was seen last: a late look would give away what has been edited since.
      const urgent = group.some(({ requests }) => requests.some(({ state, yieldsAt }) => state === 'open' && yieldsAt !== null));
      if (!urgent && now() - (looked.get(toplevel) ?? 0) < everyMs) continue;
      looked.set(toplevel, now());
      void look(toplevel, group).catch(() => undefined);
    }
  };
}
