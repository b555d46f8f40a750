import { z } from 'zod';
import type { HeldOnce, HistoryQuery, Stats, Why } from '@nexus/contract';
import { type Claim, formatClaim, overlaps, parseClaim } from '@nexus/paths';
import { finishedOn, obstacles, parseTouches, toConflict, writtenBy } from '../claims/index.ts';
import type { Database } from '../engines/database/database.ts';
import { decodeCursor, paged } from '../platform/cursor.ts';
import { AppError } from '../platform/errors.ts';
import { isUuid } from '../platform/ids.ts';
import type { Patches } from '../patches/index.ts';
import type { Rules } from '../projects/index.ts';
import type { Requests } from '../requests/index.ts';
import type { Waiting } from '../waiting/index.ts';
import { claimedSince, type HoldOnce, holdsBefore, refusalsSince, totalsSince, type Waited, waitedSince } from './history.store.ts';

export type History = ReturnType<typeof createHistory>;

type Needs = {
  database: Database;
  rules: (projectId: string) => Promise<Rules>;
  deadlines: (projectId: string) => Promise<Map<string, number>>;
  waiting: Waiting;
  requests: Requests;
  patches: Patches;
};

const DAY = 86_400_000;
/** How many paths count as hot. */
const HOT = 20;
/** How many that wrote a path are told. */
const WROTE = 10;

/** Who held what, and what that cost the others. Reads alone; the ledger keeps it all. */
export function createHistory({ database: { db }, rules, deadlines, waiting, requests, patches }: Needs) {
  async function list(projectId: string, query: z.output<typeof HistoryQuery>) {
    const from = query.cursor === undefined ? undefined : decodeCursor(query.cursor, z.number().int());
    if (query.session !== undefined && !isUuid(query.session)) return paged<HeldOnce>([], query.limit, fenceOf);
    const claim = query.path === undefined ? undefined : await read(projectId, query.path);
    const found = await overlapping(projectId, { fence: from, session: query.session, claim, limit: query.limit + 1 });
    return paged(found.map(view), query.limit, fenceOf);
  }

  /** The index finds what may overlap; what does is decided here, so a page is filled in as many steps as it takes. */
  async function overlapping(projectId: string, of: Parameters<typeof holdsBefore>[2]): Promise<HoldOnce[]> {
    const { claim } = of;
    const kept: HoldOnce[] = [];
    for (let { fence } = of; ;) {
      const found = await holdsBefore(db, projectId, { ...of, fence });
      kept.push(...(claim ? found.filter(({ claims }) => claims.some((one) => overlaps(one, claim))) : found));
      fence = found.at(-1)?.fence;
      if (kept.length >= of.limit || found.length < of.limit) return kept.slice(0, of.limit);
    }
  }

  async function why(projectId: string, path: string): Promise<Why> {
    const claim = await read(projectId, path);
    const own = await rules(projectId);
    const touchesIt = (paths: string[]) => paths.some((one) => overlaps(parsed(one, own), claim));
    const since = new Date(Date.now() - 30 * DAY);
    const [held, left, waits, asked, offered, [lastHeld], [commits], wrote, refusals, waited] = await Promise.all([
      obstacles(db, projectId, [claim], []),
      deadlines(projectId),
      waiting.list(projectId),
      requests.list(projectId),
      patches.open(projectId),
      overlapping(projectId, { claim, ended: true, limit: 1 }),
      finishedOn(db, projectId, [claim]),
      writtenBy(db, projectId, claim, WROTE),
      refusalsSince(db, projectId, since),
      waitedSince(db, projectId, since),
    ]);
    const about = refusals.filter((one) => overlaps(one, claim));
    return {
      path: formatClaim({ ...claim, mode: 'write' }),
      heldBy: held.map((obstacle) => toConflict(obstacle, left)),
      waiting: waits.filter(({ paths }) => touchesIt(paths)),
      requests: asked.filter(({ path: wanted, heldPath }) => touchesIt([wanted, heldPath])),
      patches: offered.filter(({ paths }) => touchesIt(paths)),
      lastHeld: lastHeld ? view(lastHeld) : null,
      lastCommit: commits?.[0] ?? null,
      writtenBy: wrote,
      conflicts: {
        refused: sum(about.map(({ refused }) => refused)),
        denied: sum(about.map(({ denied }) => denied)),
        lastAt:
          about
            .map(({ lastAt }) => lastAt)
            .toSorted()
            .at(-1) ?? null,
        blockedMinutes: rounded(sum(waited.filter(({ paths }) => touchesIt(paths)).map(({ minutes }) => minutes))),
      },
    };
  }

  async function stats(projectId: string, from: string | undefined): Promise<Stats> {
    const since = new Date(from ?? Date.now() - 7 * DAY);
    const own = await rules(projectId);
    const [totals, refusals, waited] = await Promise.all([
      totalsSince(db, projectId, since),
      refusalsSince(db, projectId, since),
      waitedSince(db, projectId, since),
    ]);
    const byNode = new Map(
      refusals.map(({ node, display, kind, refused, denied }) => [node, { node, display, kind, refused, denied, minutes: 0 }]),
    );
    for (const [claim, minutes] of blockedPaths(waited, own)) {
      const { node, kind, display } = claim;
      const one = byNode.get(node) ?? { node, display, kind, refused: 0, denied: 0, minutes: 0 };
      one.minutes += minutes;
      byNode.set(node, one);
    }
    const hot = [...byNode.values()]
      .toSorted((a, b) => b.refused + b.denied - a.refused - a.denied || b.minutes - a.minutes || (a.node < b.node ? -1 : 1))
      .slice(0, HOT);
    const claimed = await claimedSince(
      db,
      projectId,
      since,
      hot.map(({ node }) => node),
    );
    const minutes = waited.map((wait) => wait.minutes);
    return {
      since: since.toISOString(),
      edits: {
        tried: totals.tried,
        denied: totals.denied,
        deniedPer100: totals.tried === 0 ? 0 : rounded((totals.denied / totals.tried) * 100),
      },
      conflictsPrevented: { refused: sum(refusals.map(({ refused }) => refused)), denied: sum(refusals.map(({ denied }) => denied)) },
      holds: {
        granted: totals.granted,
        released: totals.released,
        lost: totals.lost,
        forced: totals.forced,
        handedOver: totals.handedOver,
      },
      waits: {
        begun: waited.length,
        granted: waited.filter(({ granted }) => granted).length,
        blockedMinutes: rounded(sum(minutes)),
        longestMinutes: rounded(Math.max(0, ...minutes)),
      },
      requests: { asked: totals.asked, yielded: totals.yielded, refused: totals.refused },
      writes: {
        holds: totals.told,
        written: totals.written,
        undeclared: totals.undeclared,
        unwritten: totals.unwritten,
        undeclaredHolds: totals.undeclaredHolds,
      },
      hot: hot.map(({ node, display, refused, denied, minutes: blocked }) => ({
        path: display,
        refused,
        denied,
        blockedMinutes: rounded(blocked),
        holds: claimed.get(node) ?? 0,
      })),
    };
  }

  async function read(projectId: string, path: string): Promise<Claim> {
    const [claim] = parseTouches([path], 'path', await rules(projectId));
    if (!claim) throw new AppError('VALIDATION_ERROR', 'Name a path.', { details: { field: 'path' } });
    return { ...claim, mode: 'write' };
  }

  return { list, why, stats };
}

const fenceOf = ({ fence }: HeldOnce) => fence;

const view = ({ claims, ...hold }: HoldOnce): HeldOnce => ({
  ...hold,
  paths: [...new Set(claims.map(formatClaim))].toSorted(),
});

/** What is stored was parsed before; a row that is not understood any more is nowhere. */
const parsed = (path: string, { pathCase }: Pick<Rules, 'pathCase'>): Pick<Claim, 'node' | 'kind'> => {
  const read = parseClaim(path, { pathCase });
  return read.ok ? read.claim : { node: '/', kind: 'file' };
};

const blockedPaths = (waited: Waited[], { pathCase }: Rules): Array<[Claim, number]> =>
  waited.flatMap(({ paths, minutes }) =>
    paths.flatMap((path): Array<[Claim, number]> => {
      const read = parseClaim(path, { pathCase });
      return read.ok ? [[read.claim, minutes]] : [];
    }),
  );

const sum = (numbers: number[]) => numbers.reduce((total, one) => total + one, 0);
const rounded = (value: number) => Math.round(value * 10) / 10;
