import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Dirs } from '../config.ts';
import type { Actor } from './actor.ts';
import type { Place } from './places.ts';

const quietMs = 10 * 60_000;

/** The text, when nobody was told anything of the kind on this machine for ten minutes. */
export function onceInAWhile(dirs: Pick<Dirs, 'state'>, text: string, now: number): string | undefined {
  const stamp = join(dirs.state, 'hook-notice');
  const told = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (now - told < quietMs) return undefined;
  try {
    mkdirSync(dirname(stamp), { recursive: true, mode: 0o700 });
    writeFileSync(stamp, '');
  } catch {
    // Told more often than needed, then.
  }
  return text;
}

/** An agent edits every few seconds; a server that hangs must not cost each edit its whole patience. */
const awayMs = 5000;

export function createAway(now: () => number) {
  const until = new Map<string, number>();
  return {
    isAway: (server: string): boolean => now() < (until.get(server) ?? 0),
    note: (server: string): void => void until.set(server, now() + awayMs),
  };
}

/** Who wrote which path last, so that one session's command is not blamed for what another one wrote meanwhile. */
export function createWrites(now: () => number) {
  const last = new Map<string, { by: string; at: number }>();
  const keyOf = ({ worktree }: Place, path: string): string => `${worktree.toplevel}\0${path}`;
  return {
    wrote: (place: Place, paths: string[], { session }: Actor): void => {
      if (last.size > 10_000) last.clear();
      for (const path of paths) last.set(keyOf(place, path), { by: session.id, at: now() });
    },
    othersWrote: (place: Place, path: string, { session }: Actor, since: number): boolean => {
      const write = last.get(keyOf(place, path));
      return write !== undefined && write.by !== session.id && write.at >= since;
    },
  };
}
