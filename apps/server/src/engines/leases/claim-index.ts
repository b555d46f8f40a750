import { baseOf, isGlob } from '@nexus/paths';
import {
  MAX_COMPARED,
  MAX_CONFLICTS,
  type ClaimMode,
  type ClaimRequest,
  type IndexChanges,
  type IndexConflict,
  type IndexedClaim,
  type IndexedHold,
} from './leases.ts';
import { byFence, compareBytes, firstConflicts } from './order.ts';
import { meets, takesIn } from './patterns.ts';

/** x, s: write and read claims at a node; ix, is: those strictly below it. */
type Counter = 'x' | 's' | 'ix' | 'is';
type Counters = Map<string, Record<Counter, number>>;
type Held = IndexedClaim & { hold: IndexedHold };
type OpenHold = { hold: IndexedHold; claims: Map<string, Held> };

const counterAt = { write: 'x', read: 's' } as const;
const counterBelow = { write: 'ix', read: 'is' } as const;
/** What a claim of each mode cannot stand beside. */
const against: Record<ClaimMode, ClaimMode[]> = { write: ['write', 'read'], read: ['write'] };

export type ClaimIndex = ReturnType<typeof createClaimIndex>;

/**
 * The held claims of one project. Counters on a claim's node and its ancestors, in total and per session, answer whether
 * others are in the way in O(depth); the sorted lists are read only to name who they are. A glob is a node below its base
 * in all of these, and is found from below by its base.
 */
export function createClaimIndex() {
  const holds = new Map<string, OpenHold>();
  const held: Record<ClaimMode, Held[]> = { write: [], read: [] };
  const globs = new Map<string, Set<Held>>();
  const total: Counters = new Map();
  const shares = new Map<string, { counters: Counters; holds: Set<IndexedHold> }>();

  function count(claim: Held, by: 1 | -1) {
    const share = shares.get(claim.hold.session);
    for (const counters of share ? [total, share.counters] : [total]) {
      bump(counters, claim.node, counterAt[claim.mode], by);
      for (const node of ancestors(claim.node)) bump(counters, node, counterBelow[claim.mode], by);
    }
  }

  function grantHold(hold: IndexedHold) {
    if (holds.has(hold.id)) return;
    holds.set(hold.id, { hold, claims: new Map() });
    const share = shares.get(hold.session) ?? { counters: new Map(), holds: new Set() };
    shares.set(hold.session, share);
    share.holds.add(hold);
  }

  function grantClaim({ hold, node, mode, display }: IndexChanges['claimsGranted'][number]): Held | undefined {
    const open = holds.get(hold);
    if (!open || open.claims.has(claimKey(mode, node))) return undefined;
    const claim = { node, mode, display, hold: open.hold };
    open.claims.set(claimKey(mode, node), claim);
    count(claim, 1);
    if (isGlob(node)) globs.set(baseOf(node), (globs.get(baseOf(node)) ?? new Set()).add(claim));
    return claim;
  }

  function endClaim({ hold, node, mode }: IndexChanges['claimsEnded'][number]) {
    const open = holds.get(hold);
    const claim = open?.claims.get(claimKey(mode, node));
    if (!open || !claim) return;
    open.claims.delete(claimKey(mode, node));
    count(claim, -1);
    held[mode].splice(position(held[mode], node, hold), 1);
    const anchored = isGlob(node) ? globs.get(baseOf(node)) : undefined;
    anchored?.delete(claim);
    if (anchored?.size === 0) globs.delete(baseOf(node));
  }

  /** The globs from whose bases these nodes lie below. */
  const globsAbove = (node: string): Held[] => (globs.size === 0 ? [] : ancestors(node).flatMap((above) => [...(globs.get(above) ?? [])]));

  return {
    grantHold,

    /** Claims of an unknown hold, and those it has already, are left out. */
    grantClaims(granted: IndexChanges['claimsGranted']) {
      const news = granted.map(grantClaim).filter((claim) => claim !== undefined);
      // One insertion moves half the list, so a load's many claims are sorted at once.
      if (news.length > held.write.length + held.read.length) {
        for (const claim of news) held[claim.mode].push(claim);
        for (const list of [held.write, held.read]) list.sort(compareHeld);
      } else {
        for (const claim of news) {
          const list = held[claim.mode];
          list.splice(position(list, claim.node, claim.hold.id), 0, claim);
        }
      }
    },

    endClaim,

    /** Ends a hold and what is left of its claims; answers it, or undefined when there is none. */
    endHold(id: string): IndexedHold | undefined {
      const open = holds.get(id);
      if (!open) return undefined;
      for (const { node, mode } of [...open.claims.values()]) endClaim({ hold: id, node, mode });
      holds.delete(id);
      const share = shares.get(open.hold.session);
      share?.holds.delete(open.hold);
      if (share?.holds.size === 0) shares.delete(open.hold.session);
      return open.hold;
    },

    /** The open holds of a session, by fence. */
    holdsOf: (session: string): IndexedHold[] => [...(shares.get(session)?.holds ?? [])].sort(byFence),

    covered(claims: ClaimRequest[], lineage: string[]): boolean[] {
      const sessions = new Set(lineage);
      const own = [...sessions].flatMap((session) => shares.get(session)?.counters ?? []);
      const has = (node: string, mode: ClaimMode) =>
        own.some((counters) => {
          const found = counters.get(node);
          return found !== undefined && (found.x > 0 || (mode === 'read' && found.s > 0));
        });
      const suffices = (glob: Held, wanted: ClaimRequest) =>
        sessions.has(glob.hold.session) && (glob.mode === 'write' || wanted.mode === 'read') && takesIn(glob.node, wanted);
      return claims.map((wanted) => {
        const base = baseOf(wanted.node);
        if ([...ancestors(base), base, wanted.node].some((place) => has(place, wanted.mode))) return true;
        return globsAbove(wanted.node).some((glob) => suffices(glob, wanted));
      });
    },

    conflicts(claims: ClaimRequest[], lineage: string[]): IndexConflict[] {
      const own = new Set(lineage);
      const ownCounters = [...own].flatMap((session) => shares.get(session)?.counters ?? []);
      const others = (node: string, counter: Counter) => {
        const all = total.get(node)?.[counter] ?? 0;
        return all && ownCounters.reduce((left, counters) => left - (counters.get(node)?.[counter] ?? 0), all);
      };

      const conflicts: IndexConflict[] = [];
      for (const [index, wanted] of claims.entries()) {
        const add = (why: IndexConflict['why'], claim: Held) => conflicts.push({ ...claim, claim: index, why, hold: { ...claim.hold } });
        const node = baseOf(wanted.node);
        for (const mode of against[wanted.mode]) {
          const name = (why: IndexConflict['why'], list: Iterable<Held>, expected: number) => {
            for (const claim of expected > 0 ? firstOfOthers(list, own, expected) : []) add(why, claim);
          };
          for (const above of ancestors(node)) name('above', heldAt(held[mode], above), others(above, counterAt[mode]));
          name('same', heldAt(held[mode], node), others(node, counterAt[mode]));
          if (isGlob(wanted.node) && (total.get(node)?.[counterBelow[mode]] ?? 0) <= MAX_COMPARED) {
            for (const claim of heldBelow(held[mode], node)) if (!own.has(claim.hold.session) && meets(wanted, claim)) add('below', claim);
          } else name('below', heldBelow(held[mode], node), others(node, counterBelow[mode]));
          for (const claim of globsAbove(node))
            if (claim.mode === mode && !own.has(claim.hold.session) && meets(wanted, claim)) add('glob', claim);
        }
        if (conflicts.length >= MAX_CONFLICTS) break;
      }
      return firstConflicts(conflicts);
    },
  };
}

const claimKey = (mode: ClaimMode, node: string) => `${mode} ${node}`;

/** '/src/a.ts' → '', '/src'. */
function ancestors(node: string): string[] {
  const nodes: string[] = [];
  for (let slash = node.indexOf('/'); slash >= 0; slash = node.indexOf('/', slash + 1)) nodes.push(node.slice(0, slash));
  return nodes;
}

function bump(counters: Counters, node: string, counter: Counter, by: 1 | -1) {
  const found = counters.get(node) ?? { x: 0, s: 0, ix: 0, is: 0 };
  found[counter] += by;
  if (found.x + found.s + found.ix + found.is === 0) counters.delete(node);
  else counters.set(node, found);
}

const compareHeld = (a: Held, b: Held) => compareBytes(a.node, b.node) || compareBytes(a.hold.id, b.hold.id);

/** Where the first entry at or after (node, hold) stands. */
function position(list: Held[], node: string, hold: string): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const claim = list[middle];
    if (claim && (compareBytes(claim.node, node) || compareBytes(claim.hold.id, hold)) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The entries from node `start` on, as long as their nodes belong. */
function* range(list: Held[], start: string, belongs: (node: string) => boolean) {
  for (let i = position(list, start, ''); ; i++) {
    const claim = list[i];
    if (!claim || !belongs(claim.node)) return;
    yield claim;
  }
}

const heldAt = (list: Held[], node: string) => range(list, node, (found) => found === node);
const heldBelow = (list: Held[], node: string) => range(list, `${node}/`, (found) => found.startsWith(`${node}/`));

function firstOfOthers(list: Iterable<Held>, own: Set<string>, expected: number): Held[] {
  const found: Held[] = [];
  for (const claim of list) {
    if (own.has(claim.hold.session)) continue;
    found.push(claim);
    if (found.length >= Math.min(expected, MAX_CONFLICTS)) break;
  }
  return found;
}
