import type { z } from 'zod';
import type { JoinQueueBody, Wait } from '@nexus/contract';
import { formatClaim } from '@nexus/paths';
import {
  aheadOf,
  claimable,
  type Claims,
  claimsOf,
  endWait,
  formatTouches,
  type Hold,
  insertWait,
  isResource,
  obstacles,
  obstaclesAmong,
  openHolds,
  parseTouches,
  type Queued,
  queueOf,
  toConflict,
  waitById,
  type WaitRow,
  wantedBy,
} from '../claims/index.ts';
import type { Database, Queryable } from '../engines/database/database.ts';
import type { Features } from '../features/index.ts';
import type { Ledger } from '../ledger/index.ts';
import type { Actor, SessionActor } from '../platform/actor.ts';
import { AppError, notFound } from '../platform/errors.ts';
import { isUuid } from '../platform/ids.ts';
import type { Rules } from '../projects/index.ts';
import { liveFamily, requireLive } from '../sessions/index.ts';
import type { Drain } from './drain.ts';

export type Waiting = ReturnType<typeof createWaiting>;

type Needs = {
  database: Database;
  ledger: Ledger;
  claims: Claims;
  features: Features;
  rules: (projectId: string) => Promise<Rules>;
  deadlines: (projectId: string) => Promise<Map<string, number>>;
  drain: Drain;
};

/** Who waits. The queue is rows of the ledger: whoever asks late, or after a crash, finds the same places. */
export function createWaiting({ database, ledger, claims, features, rules, deadlines, drain }: Needs) {
  /**
   * Takes a place, and with it what is free already. Only who holds nothing may wait, so nobody ever holds and waits: there
   * is no deadlock. Resources held ad hoc, such as a port, are no obstacle where none is waited for: in a circle everybody
   * would wait for what another holds, and those hold resources only. Once more for the same is the same place; for
   * something else, the earlier place is left.
   */
  async function join(actor: SessionActor, body: z.output<typeof JoinQueueBody>): Promise<Wait> {
    const { projectId, session } = actor;
    const own = await rules(projectId);
    const paths = body.paths && parseTouches(body.paths, 'paths', own);
    const { id } = await claims.attempt(projectId, () =>
      ledger.change(actor, 'wait', async (tx, at) => {
        await requireLive(tx, session);
        const feature = body.featureSlug === undefined ? undefined : await features.requireWaitable(tx, projectId, body.featureSlug);
        const wanted = feature ? claimable(feature.touches, own) : (paths ?? []);
        const mine = (await queueOf(tx, projectId, own)).find(({ wait }) => wait.sessionId === session.id);
        if (mine && mine.wait.feature?.id === feature?.id && sameForms(mine, formatTouches(wanted))) return { id: mine.wait.id };
        const family = [...session.lineage, ...(await liveFamily(tx, projectId, session.id)).map((child) => child.id)];
        // What only waits to land is nothing that anybody works on.
        const open = (await openHolds(tx, projectId, { sessions: family })).filter(({ landing }) => !landing);
        const holding = wanted.some(isResource) ? open : await withPaths(tx, open);
        if (holding.length > 0) throw holdsAlready(holding);
        if (mine) endWait(tx, at, mine.wait, 'left');
        const wait = {
          id: Bun.randomUUIDv7(),
          projectId,
          sessionId: session.id,
          engineerId: session.engineerId,
          featureId: feature?.id ?? null,
          paths: formatTouches(wanted),
          reason: body.reason ?? null,
          seq: at.version(),
          seconds: body.seconds,
        };
        // After the place that is left: a session has one.
        at.write(insertWait(tx, wait));
        at.emit({
          type: 'wait_started',
          ...(feature ? { feature: { id: feature.id, slug: feature.slug, title: feature.title } } : {}),
          data: { waitId: wait.id, sessionId: session.id, paths: wait.paths },
        });
        return { id: wait.id };
      }),
    );
    await drain.now(projectId);
    return get(projectId, id);
  }

  /** By whoever the waiting session belongs to. What ended before is answered as it ended. */
  async function leave(actor: Actor, id: string): Promise<Wait> {
    const known = await require(actor.projectId, id);
    if (known.engineerId !== actor.engineer.id)
      throw new AppError('INSUFFICIENT_ROLE', `This is the place of ${known.engineerName}. Only they give it up.`);
    await ledger.change(actor, 'leave', async (tx, at) => {
      const wait = await waitById(tx, actor.projectId, id);
      if (wait && wait.endedAs === null) endWait(tx, at, wait, 'left');
    });
    drain.soon(actor.projectId);
    return get(actor.projectId, id);
  }

  async function require(projectId: string, id: string): Promise<WaitRow> {
    const row = isUuid(id) ? await waitById(database.db, projectId, id) : undefined;
    if (!row) throw notFound();
    return row;
  }

  async function get(projectId: string, id: string): Promise<Wait> {
    const row = await require(projectId, id);
    if (row.endedAs !== null) return view(row, row.touches);
    // Ended between the two readings.
    return (await list(projectId)).find((wait) => wait.id === id) ?? get(projectId, id);
  }

  /** First in line first, each with what it waits for and behind whom. */
  async function list(projectId: string): Promise<Wait[]> {
    const queue = await queueOf(database.db, projectId, await rules(projectId));
    if (queue.length === 0) return [];
    const wanted = queue.flatMap((queued) => queued.claims);
    const [found, left] = await Promise.all([obstacles(database.db, projectId, wanted, []), deadlines(projectId)]);
    const held = [...new Set(found.map((obstacle) => obstacle.held))];
    return queue.map((queued) => {
      const { wait, claims: own } = queued;
      const inWay = obstaclesAmong(own, held).filter((obstacle) => !wait.lineage.includes(obstacle.held.hold.sessionId));
      return view(wait, own.map(formatClaim), {
        conflicts: inWay.map((obstacle) => toConflict(obstacle, left)),
        behind: aheadOf(queue, wantedBy(queued), wait.lineage, wait.id).map(({ wait: ahead }) => ({
          waitId: ahead.id,
          sessionId: ahead.sessionId,
          engineerName: ahead.engineerName,
          agent: ahead.agent,
          featureSlug: ahead.feature?.slug ?? null,
          since: ahead.since,
        })),
      });
    });
  }

  return { join, leave, get, list };
}

function view(
  row: WaitRow,
  paths: string[],
  { conflicts, behind }: Pick<Wait, 'conflicts' | 'behind'> = { conflicts: [], behind: [] },
): Wait {
  return {
    id: row.id,
    projectId: row.projectId,
    sessionId: row.sessionId,
    engineerId: row.engineerId,
    engineerName: row.engineerName,
    agent: row.agent,
    featureSlug: row.feature?.slug ?? null,
    paths,
    reason: row.reason,
    since: row.since,
    until: row.until,
    state: row.endedAs ?? 'waiting',
    fence: row.fence,
    note: row.note,
    heldBy: row.heldBy,
    conflicts,
    behind,
  };
}

const sameForms = ({ claims }: Queued, forms: string[]) =>
  JSON.stringify(claims.map(formatClaim).toSorted()) === JSON.stringify(forms.toSorted());

/** Those that stand for a feature, or have more than resources. */
async function withPaths(tx: Queryable, holds: Hold[]): Promise<Hold[]> {
  const held = await claimsOf(
    tx,
    holds.map(({ id }) => id),
  );
  return holds.filter(({ id, featureId }) => featureId !== null || held.some((claim) => claim.holdId === id && !isResource(claim)));
}

function holdsAlready(holding: Hold[]): AppError {
  const names = holding.map(({ featureSlug, fence }) => featureSlug ?? `ad hoc claims (fence ${fence})`).join(', ');
  return new AppError(
    'WAIT_WHILE_HOLDING',
    `This session holds ${names}, and only who holds nothing may wait: else two could wait for each other. Finish or release that first, or ask for the path: nexus request <path>.`,
    { details: { holding: holding.map(({ featureSlug, fence, sessionId }) => ({ featureSlug, fence, sessionId })) } },
  );
}
