import type { PatchNews } from '@nexus/contract';
import type { Claim } from '@nexus/paths';
import { type Hold, obstacles, parseTouches } from '../claims/index.ts';
import type { Database, Queryable } from '../engines/database/database.ts';
import type { Ledger } from '../ledger/index.ts';
import { isDatabaseAway } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Rules } from '../projects/index.ts';
import {
  closePatch,
  forgetClosed,
  openPatches,
  overdue,
  patchById,
  type PatchRow,
  projectsTelling,
  recentPatches,
  setFree,
  TOLD_MS,
  view,
} from './patches.store.ts';

type Needs = {
  database: Database;
  ledger: Ledger;
  rules: (projectId: string) => Promise<Rules>;
  log: Log;
};
type Told = Map<string, PatchNews[]>;

/** Once in a while is enough for what takes weeks. */
const AGEING_MS = 60_000;
/** A beat stays small. */
const AT_ONCE = 10;

/** Tells sessions of patches with their heartbeats, and sees to what becomes of them with time. */
export function createCourier({ database, ledger, rules, log }: Needs) {
  /** By project. Read again when something happened there: beats cost the database nothing. */
  const known = new Map<string, { seq: number; told: Told }>();
  let aged = 0;

  /** With every sweep, on every server: twice is harmless. */
  async function tick(now = Date.now()): Promise<void> {
    if (now - aged > AGEING_MS) {
      aged = now;
      for (const { projectId, id } of await overdue(database.db)) await alone(projectId, () => expire(projectId, id));
      await forgetClosed(database.db);
    }
    const telling = await projectsTelling(database.db);
    const ids = new Set(telling.map(({ projectId }) => projectId));
    for (const projectId of known.keys()) if (!ids.has(projectId)) known.delete(projectId);
    for (const { projectId, seq } of telling)
      if (known.get(projectId)?.seq !== seq)
        await alone(projectId, async () => void known.set(projectId, { seq, told: await newsIn(projectId) }));
  }

  async function alone(projectId: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isDatabaseAway(error)) throw error;
      log.error({ err: error, projectId }, 'a bug: the patches of a project could not be seen to');
    }
  }

  async function newsIn(projectId: string, isSettled = false): Promise<Told> {
    const own = await rules(projectId);
    const recent = await recentPatches(database.db, projectId);
    const open = recent.filter(({ state }) => state === 'open');
    const standing = await standings(database.db, projectId, open, own);
    if (!isSettled && standing.some(hasTurned)) {
      await settle(projectId, own);
      return newsIn(projectId, true);
    }
    const told: Told = new Map();
    const tell = (session: string | null | undefined, row: PatchRow, news: PatchNews['news']) => {
      if (session) told.set(session, [...(told.get(session) ?? []), { ...view(row), news }]);
    };
    for (const row of recent) if (row.state !== 'open' && row.closedBy?.sessionId !== row.reader) tell(row.reader, row, 'closed');
    for (const { patch, others } of standing) {
      if (others.length === 0) tell(patch.reader, patch, 'free');
      for (const session of new Set(others.flatMap(({ hold, mode }) => (hold.parkedAt || mode === 'read' ? [] : [hold.sessionId]))))
        tell(session, patch, 'offered');
    }
    return told;
  }

  /** Notes whose paths came free, for their authors, and whose were taken again. */
  async function settle(projectId: string, own: Rules): Promise<void> {
    await ledger.change({ projectId, system: true }, 'settle', async (tx, at) => {
      const standing = await standings(tx, projectId, await openPatches(tx, projectId), own);
      for (const { patch, others } of standing.filter(hasTurned)) {
        await setFree(tx, patch.id, others.length === 0);
        const { id, paths, author } = patch;
        if (others.length === 0) at.emit({ type: 'patch_free', data: { patchId: id, paths, author: author.sessionId } });
      }
    });
  }

  async function expire(projectId: string, id: string): Promise<void> {
    await ledger.change({ projectId, system: true }, 'expire', async (tx, at) => {
      const patch = await patchById(tx, projectId, id);
      if (!patch || !(await closePatch(tx, id, 'expired', { engineerId: null, sessionId: null }))) return;
      at.emit({
        type: 'patch_withdrawn',
        data: { patchId: id, paths: patch.paths, author: patch.author.sessionId, as: 'expired', note: null },
      });
    });
  }

  return {
    tick,
    /** What a session's beat tells it. */
    of: ({ id, projectId }: { id: string; projectId: string }): PatchNews[] => {
      const told = known.get(projectId)?.told.get(id);
      // Nearly always; the date would cost each beat 0.3 µs.
      if (!told) return [];
      const since = new Date(Date.now() - TOLD_MS).toISOString();
      return told.filter(({ closedAt }) => closedAt === null || closedAt > since).slice(0, AT_ONCE);
    },
  };
}

type Standing = { patch: PatchRow; others: Array<{ hold: Hold; mode: Claim['mode'] }> };

/** It came free, or was taken, since that was noted last. */
const hasTurned = ({ patch, others }: Standing) => (others.length === 0) !== (patch.freeSince !== null);

/** Of each patch, who stands in its author's way. One query for all of them. */
async function standings(on: Queryable, projectId: string, patches: PatchRow[], own: Rules): Promise<Standing[]> {
  const wanted = patches.map((patch) => ({ patch, claims: parseTouches(patch.paths, 'paths', own) }));
  const found = await obstacles(
    on,
    projectId,
    [...new Map(wanted.flatMap(({ claims }) => claims).map((claim) => [claim.node, claim])).values()],
    [],
  );
  return wanted.map(({ patch, claims }) => {
    const nodes = new Set(claims.map(({ node }) => node));
    const isOwn = ({ sessionId, lineage }: Hold) => patch.lineage.includes(sessionId) || lineage.includes(patch.author.sessionId);
    const others = found.filter(({ wanted: claim, held }) => nodes.has(claim.node) && !isOwn(held.hold));
    return { patch, others: others.map(({ held }) => ({ hold: held.hold, mode: held.claim.mode })) };
  });
}
