import type { Heartbeat, Message, OpenHold, PatchNews, Request } from '@nexus/contract';
import { z } from 'zod';
import { readJson, writeJson } from '../files.ts';
import type { Lease } from './lease-file.ts';
import { Registration } from './protocol.ts';

/** Uncommitted paths; `more`: too many to name all. */
type DirtyReport = { paths: string[]; more: boolean };

export type Entry = Registration & {
  state: 'kept' | 'died';
  lastBeat: string | null;
  problem: string | null;
  /** Until when edits of what it holds need no call; undefined before the first answer. */
  lease: Lease | undefined;
  /** What the last beat said, and when its answer came, in ms. */
  beat: { at: number; holds: OpenHold[] } | undefined;
  /** What others ask of it, and what became of what it asked, as of the last beat. */
  requests: Request[];
  /** What was sent to the session, newest last; hooks tell each once. */
  messages: Message[];
  /** Left for it, and what became of its own, as of the last beat. */
  patches: PatchNews[];
  /** What is uncommitted in its worktree, not yet told to the server. */
  dirty: DirtyReport | undefined;
  /** Holds that others ended, not yet told to the agent. */
  lost: Heartbeat['lost'];
  /** Since the last beat that the server took. */
  activity: { edits: number; denials: number };
};

/** The sessions that this keeper keeps, on disk as well, so that the next one goes on with them. */
export type Registry = {
  add: (registration: Registration) => Entry;
  get: (sessionId: string) => Entry | undefined;
  all: () => Entry[];
  /** Removes this very entry; one that was registered anew stays. */
  drop: (entry: Entry) => boolean;
  /** Whether the entry still counts. */
  has: (entry: Entry) => boolean;
};

const FileContent = z.object({ sessions: z.array(Registration) });

export function openRegistry(path: string): Registry {
  const entries = new Map<string, Entry>();
  for (const registration of readRegistrations(path)) entries.set(registration.sessionId, fresh(registration));
  const save = (): void => {
    const sessions = [...entries.values()].map((entry) => Registration.parse(entry));
    try {
      writeJson(path, { sessions }, { secret: true });
    } catch {
      // Logout may have removed the directory; this keeper still knows what it keeps.
    }
  };
  return {
    add: (registration) => {
      const entry = fresh(Registration.parse(registration));
      entries.set(entry.sessionId, entry);
      save();
      return entry;
    },
    get: (sessionId) => entries.get(sessionId),
    all: () => [...entries.values()],
    has: (entry) => entries.get(entry.sessionId) === entry,
    drop: (entry) => {
      if (entries.get(entry.sessionId) !== entry) return false;
      entries.delete(entry.sessionId);
      save();
      return true;
    },
  };
}

const fresh = (registration: Registration): Entry => ({
  ...registration,
  state: 'kept',
  lastBeat: null,
  problem: null,
  lease: undefined,
  beat: undefined,
  requests: [],
  messages: [],
  patches: [],
  dirty: undefined,
  lost: [],
  activity: { edits: 0, denials: 0 },
});

/** A broken file costs the sessions in it their keeper, not all others theirs. */
function readRegistrations(path: string): Registration[] {
  try {
    const parsed = FileContent.safeParse(readJson(path));
    return parsed.success ? parsed.data.sessions : [];
  } catch {
    return [];
  }
}
