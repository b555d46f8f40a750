import { isListed, overlaps, parseClaim } from '@nexus/paths';
import { claimsOf, openHolds } from '../claims/index.ts';
import type { Database } from '../engines/database/database.ts';
import type { Request } from '@nexus/contract';
import type { Ledger } from '../ledger/index.ts';
import { isDatabaseAway } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { within } from '../platform/within.ts';
import type { Rules } from '../projects/index.ts';
import { answer, release } from './answers.ts';
import {
  concerning,
  due,
  heldLong,
  insertRequest,
  projectsAsking,
  timeYields,
  touched,
  view,
  withoutClaim,
  type YieldTerms,
} from './requests.store.ts';

export type Pace = ReturnType<typeof createPace>;

type Dirty = Array<{ session: string; paths: string[]; more: boolean }>;
type Needs = {
  database: Database;
  ledger: Ledger;
  rules: (projectId: string) => Promise<Rules>;
  terms: YieldTerms;
  log: Log;
};

/** A beat waits no longer for the database: it must be answered while that is away. */
const PATIENCE_MS = 300;

/** What time does with requests, and how sessions hear of them. */
export function createPace({ database, ledger, rules, terms, log }: Needs) {
  /** Where somebody asks, or was answered a while ago: beats elsewhere cost the database nothing. */
  let telling = new Set<string>();
  let lookedForBrief = 0;

  /** By session: what its beat tells it. Never throws: a heartbeat must not fail for it. */
  async function of(sessions: Array<{ id: string; projectId: string }>): Promise<Map<string, Request[]>> {
    const asked = sessions.filter(({ projectId }) => telling.has(projectId)).map(({ id }) => id);
    const found = new Map<string, Request[]>();
    if (asked.length === 0) return found;
    try {
      for (const row of await within(PATIENCE_MS, concerning(database.db, asked)))
        for (const id of new Set([row.askedBy?.sessionId, row.holder.sessionId]))
          if (id !== undefined) found.set(id, [...(found.get(id) ?? []), view(row)]);
    } catch (error) {
      if (!isDatabaseAway(error)) log.error({ err: error }, 'requests could not be read for a heartbeat');
    }
    return found;
  }

  /** What is uncommitted in the worktrees of sessions: their claims there are in use. Never throws. */
  async function dirty(reports: Dirty, projectOf: (session: string) => string | undefined): Promise<void> {
    for (const { session, paths, more } of reports) {
      const projectId = projectOf(session);
      if (projectId === undefined) continue;
      try {
        const { pathCase } = await rules(projectId);
        const uncommitted = paths.flatMap((path) => {
          const parsed = parseClaim({ path: `./${path}`, kind: 'file' }, { pathCase });
          return parsed.ok ? [parsed.claim] : [];
        });
        const holds = await openHolds(database.db, projectId, { session });
        const held = await claimsOf(
          database.db,
          holds.map(({ id }) => id),
        );
        const inUse = held.filter((claim) => more || uncommitted.some((path) => overlaps(claim, path)));
        await touched(
          database.db,
          session,
          inUse.map(({ holdId, node }) => ({ holdId, node })),
        );
      } catch (error) {
        if (!isDatabaseAway(error)) log.error({ err: error }, 'a report of uncommitted paths could not be kept');
      }
    }
  }

  /** With every sweep, on every server: twice is harmless. */
  async function tick(alive: string[]): Promise<void> {
    const { told, open } = await projectsAsking(database.db);
    telling = new Set(told);
    for (const projectId of open) await inProject(projectId);
    if (Date.now() - lookedForBrief < Math.min(30_000, terms.cleanSeconds * 300)) return;
    lookedForBrief = Date.now();
    for (const projectId of alive) await askForBrief(projectId);
  }

  async function inProject(projectId: string): Promise<void> {
    if ((await withoutClaim(database.db, projectId)).length > 0)
      await ledger.change({ projectId, system: true }, 'freed', async (tx, at) => {
        await answer(tx, at, await withoutClaim(tx, projectId), 'freed', null);
      });
    await timeYields(database.db, projectId, terms);
    if ((await due(database.db, projectId)).length === 0) return;
    await ledger.change({ projectId, system: true }, 'yield', async (tx, at) => {
      // One claim may be asked for by several.
      for (const { holdId, node, holder } of await due(tx, projectId)) {
        const [hold] = await openHolds(tx, projectId, { fence: holder.fence });
        const given = hold ? (await claimsOf(tx, [holdId])).filter((claim) => claim.node === node) : [];
        if (hold && given.length > 0)
          await release(tx, at, hold, given, 'yielded', `Nothing was uncommitted there for ${Math.round(terms.cleanSeconds / 60)} min.`);
      }
    });
  }

  /** Brief paths are for one commit: who keeps one is asked for it, once. */
  async function askForBrief(projectId: string): Promise<void> {
    const { brief } = await rules(projectId);
    if (brief.length === 0) return;
    const isLate = ({ node }: { node: string }) => isListed(node, brief);
    if (!(await heldLong(database.db, projectId, terms.cleanSeconds)).some(isLate)) return;
    await ledger.change({ projectId, system: true }, 'request', async (tx, at) => {
      for (const { holdId, node, display } of (await heldLong(tx, projectId, terms.cleanSeconds)).filter(isLate)) {
        const id = Bun.randomUUIDv7();
        const asks = { sessionId: null, engineerId: null, reason: null, givesBack: null };
        await insertRequest(tx, { id, projectId, holdId, node, heldPath: display, path: display, ...asks });
        at.emit({ type: 'path_requested', data: { requestId: id, path: display, heldPath: display, reason: 'brief' } });
      }
    });
    telling.add(projectId);
  }

  return { of, dirty, tick, asked: (projectId: string) => void telling.add(projectId) };
}
