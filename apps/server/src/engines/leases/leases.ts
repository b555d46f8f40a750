import type { ClaimKind } from '@nexus/paths';

/**
 * Who is alive, and which held paths stand in the way. The store follows the ledger: it grants nothing, and it may be
 * lost, late or rolled back at any moment without harm. Every call names its project; every duration is milliseconds of
 * the store's own logical clock, which never runs backwards and never leaps (docs of `maxStepMs` below).
 * Text is ordered by the bytes of its UTF-8. Where `version` answers null there is no index: nothing acts on it but `load`.
 */
export type LeaseStore = {
  /**
   * Where the index stands. Null when there is none, when the store is another process than the one that was loaded
   * (restart, failover), or when its clock was seen to go back (it was set back to an older state): the caller loads.
   */
  version: (project: string) => Promise<IndexVersion | null>;
  /**
   * Moves the index from exactly `from` to `to`; false, and nothing changes, when it stands elsewhere. What is there
   * already stays as it is, what is unknown is passed over, and a hold that ends takes its claims with it.
   */
  apply: (project: string, from: IndexVersion, to: number, changes: IndexChanges) => Promise<boolean>;
  /**
   * Replaces the whole index; every deadline becomes now + ttl. Acts when the index is absent, older, of another ledger,
   * of another run, or (with `refresh`) also when it already stands at `at.ver`. Never moves backwards. True when it acted.
   */
  load: (project: string, at: IndexVersion, snapshot: IndexSnapshot, options?: { refresh?: boolean }) => Promise<boolean>;
  /**
   * `conflicts`: what others hold in the way of these claims, at most `MAX_CONFLICTS`, sorted by (claim, node, hold, mode).
   * `covered`: for each claim, whether the lineage holds it already: at the node or above it, or by a glob that takes all of it
   * in, in a mode that suffices. Cost grows with path depth and with the globs held above, a glob's own with what is held below
   * its base, up to `MAX_COMPARED`. Null when there is no index: the ledger answers.
   */
  check: (project: string, claims: ClaimRequest[], lineage: string[]) => Promise<Checked | null>;
  /** Starts (or restarts) a session's lease; false when it is condemned. Without an index true, and the load brings it. */
  open: (project: string, session: string, ttlMs: number) => Promise<boolean>;
  /**
   * Renews sessions, each to its own ttl, in the order asked. O(1) a session, however many paths it holds. All unknown
   * without an index. `keepLost`: nobody will hear the answer, so what was lost stays to be told.
   */
  beat: (project: string, sessions: string[], options?: { keepLost?: boolean }) => Promise<Beat[]>;
  /** Sessions past their ttl and grace, and condemned ones that the ledger has not closed yet, sorted. Observes the clock. */
  stale: (project: string) => Promise<string[]>;
  /**
   * Refuses a session's heartbeats from now on, if it is still past ttl and grace at this moment (`dead`: whatever its
   * deadline, for its process was seen to be gone). 'alive' when it is not, or when there is no index; 'condemned' when an
   * earlier call did it and the ledger has not closed it yet: whoever sees that finishes it; 'unknown' when not known.
   */
  condemn: (project: string, session: string, options?: { dead?: boolean }) => Promise<'done' | 'condemned' | 'alive' | 'unknown'>;
  /** Every session not condemned, sorted, and the milliseconds left to its deadline, grace not included (negative: stale). */
  list: (project: string) => Promise<Array<{ session: string; msLeft: number }>>;
  /** Throws when the store cannot be used. */
  ping: () => Promise<void>;
  close: () => Promise<void>;
};

/** `ledger` changes when the database was restored from a backup; `ver` counts the project's ownership changes. */
export type IndexVersion = { ledger: string; ver: number };

export type ClaimMode = 'read' | 'write';

/**
 * `node` is the normalised key of @nexus/paths: '' is the whole repository, '/src/a.ts' a path, '/src/*.ts' a glob. Files and
 * trees overlap alike, but not with globs: there a request is a file where its kind is not told, and what is held is a tree
 * where its `display` ends like one.
 */
export type ClaimRequest = { node: string; mode: ClaimMode; kind?: ClaimKind };
export type IndexedClaim = Omit<ClaimRequest, 'kind'> & { display: string };

/** A hold may have no claims: a feature that touches nothing is still held. `label` is the feature's slug, null when ad hoc. */
export type IndexedHold = { id: string; session: string; label: string | null; fence: number };

export type HoldEnd = 'released' | 'lost' | 'forced' | 'handed_over';

/** The net difference between two versions: what came and went in between is not in it. Applied in this order. */
export type IndexChanges = {
  claimsEnded: Array<{ hold: string; node: string; mode: ClaimMode }>;
  holdsEnded: Array<{ id: string; as: HoldEnd }>;
  sessionsClosed: string[];
  sessionsOpened: Array<{ id: string; ttlMs: number }>;
  holdsGranted: IndexedHold[];
  claimsGranted: Array<{ hold: string } & IndexedClaim>;
};

export type IndexSnapshot = Pick<IndexChanges, 'sessionsOpened' | 'holdsGranted' | 'claimsGranted'>;

/**
 * `claim` is the position of the requested claim; `why`: the held path is above it (or above the base of the requested glob),
 * the same, or below it (as a held glob is, whose base is); `glob`: a held glob whose base is above meets it.
 */
export type IndexConflict = {
  claim: number;
  why: 'above' | 'same' | 'below' | 'glob';
  node: string;
  display: string;
  mode: ClaimMode;
  hold: IndexedHold;
};

export type Checked = { conflicts: IndexConflict[]; covered: boolean[] };

export type Beat =
  | { session: string; state: 'unknown' | 'condemned' }
  | {
      session: string;
      state: 'ok';
      ttlMs: number;
      /** Open holds, by fence. */
      holds: Array<{ id: string; label: string | null; fence: number }>;
      /** Holds of this session that were ended by somebody else ('lost', 'forced', 'handed_over') since its last beat. */
      lost: Array<{ id: string; label: string | null; fence: number; as: HoldEnd }>;
    };

/** More would not help a reader; a pick names every one of them from the ledger. */
export const MAX_CONFLICTS = 10;

/** A requested glob is compared with what is held below its base; where that is more than this in one mode, all of it conflicts. */
export const MAX_COMPARED = 512;

export type LeaseTimes = {
  /** How long after its deadline a session may still revive. */
  graceMs: number;
  /**
   * The most that the logical clock advances between two observations, whatever the machine's clock did: a stopped store,
   * a paused machine or a stepped clock then lengthens leases and never ends them. min(5 s, shortest ttl / 4).
   */
  maxStepMs: number;
};

/** The store cannot be reached; the ledger serves meanwhile and nothing expires. */
export class LeaseStoreUnavailable extends Error {
  override name = 'LeaseStoreUnavailable';
}
