import {
  type ListPatchesQuery,
  MAX_OPEN_PATCHES,
  type OfferPatchBody,
  type Patch,
  type PatchAppliedBody,
  type PatchWithDiff,
} from '@nexus/contract';
import { type Claim, formatClaim, overlaps } from '@nexus/paths';
import type { z } from 'zod';
import { type Claims, claimsOf, type Hold, obstacles, openHolds, parseTouches, requireFree } from '../claims/index.ts';
import type { Database, Queryable } from '../engines/database/database.ts';
import type { Change, Ledger } from '../ledger/index.ts';
import type { Actor, SessionActor, SessionRef } from '../platform/actor.ts';
import { AppError, notFound } from '../platform/errors.ts';
import { isUuid } from '../platform/ids.ts';
import { pageOf, positionOf } from '../platform/page.ts';
import type { Rules } from '../projects/index.ts';
import { requireLive } from '../sessions/index.ts';
import { readDiff } from './diff.ts';
import { closePatch, countOpen, diffOf, insertPatch, openPatches, patchById, patchesPage, type PatchRow, view } from './patches.store.ts';

export type Patches = ReturnType<typeof createPatches>;

type Needs = {
  database: Database;
  ledger: Ledger;
  claims: Claims;
  rules: (projectId: string) => Promise<Rules>;
};

/** Changes left for whoever holds their paths. The server keeps them and never touches a file: who holds the paths applies them. */
export function createPatches({ database, ledger, claims, rules }: Needs) {
  async function offer(actor: SessionActor, body: z.output<typeof OfferPatchBody>): Promise<Patch> {
    const { projectId, session, engineer } = actor;
    const files = readDiff(body.diff);
    const wanted = filesAsClaims(files, await rules(projectId));
    const id = Bun.randomUUIDv7();
    return claims.attempt(projectId, () =>
      ledger.change(actor, 'offer', async (tx, at) => {
        await requireLive(tx, session);
        const [inWay, open, holds] = await Promise.all([
          obstacles(tx, projectId, wanted, session.lineage),
          countOpen(tx, projectId),
          openHolds(tx, projectId, { sessions: session.lineage }),
        ]);
        if (inWay.length === 0) throw nobodyHolds(wanted);
        const before = body.replaces === undefined ? undefined : await require(tx, projectId, body.replaces);
        if (before) {
          if (before.author.engineerId !== engineer.id) throw notYours(before);
          requireOpen(before);
        } else if (open >= MAX_OPEN_PATCHES) throw tooMany();
        const features = [...new Set(holds.flatMap(({ featureId }) => featureId ?? []))];
        await insertPatch(tx, {
          id,
          projectId,
          engineerId: engineer.id,
          sessionId: session.id,
          featureId: features.length === 1 ? (features[0] ?? null) : null,
          paths: wanted.map(formatClaim),
          files,
          diff: body.diff,
          bytes: Buffer.byteLength(body.diff),
          base: body.base ?? null,
          why: body.why ?? null,
          replaces: before?.id ?? null,
        });
        if (before) await close(tx, at, actor, before, 'superseded', { note: `Patch ${id} came in its place.` });
        const patch = await require(tx, projectId, id);
        const holders = [...new Set(inWay.map(({ held }) => held.hold.sessionId))];
        at.emit({ type: 'patch_offered', data: { ...named(patch), why: patch.why, bytes: patch.bytes, holders } });
        return view(patch);
      }),
    );
  }

  async function list(actor: Actor, { box, state, cursor, limit }: z.output<typeof ListPatchesQuery>) {
    const { projectId, engineer } = actor;
    const position = positionOf(cursor);
    const query = {
      engineerId: box === 'mine' ? engineer.id : undefined,
      isOpen: box === 'for_me' || state === 'open',
      after: position,
      limit: box === 'for_me' ? MAX_OPEN_PATCHES : limit + 1,
    };
    const found = await patchesPage(database.db, projectId, query);
    const meant = box === 'for_me' ? await heldBy(actor.session, projectId, found) : found;
    return pageOf(meant.map(view), limit, ({ createdAt, id }) => ({ at: createdAt, id }));
  }

  /** Those of others that change something which the session holds. */
  async function heldBy(session: SessionRef | undefined, projectId: string, found: PatchRow[]): Promise<PatchRow[]> {
    if (!session || found.length === 0) return [];
    const own = await rules(projectId);
    const held = await heldFor(database.db, projectId, session);
    return found.filter(
      ({ paths, author }) =>
        !session.lineage.includes(author.sessionId) &&
        parseTouches(paths, 'paths', own).some((path) => held.some(({ claim }) => overlaps(claim, path))),
    );
  }

  async function get(projectId: string, id: string): Promise<PatchWithDiff> {
    const patch = await require(database.db, projectId, id);
    return { ...view(patch), ...(await diffOf(database.db, patch.id)) };
  }

  /**
   * Its change is in the holder's files. Counts only by a session that holds every path at this commit, so that a late one
   * says nothing of files that another has by now; and once.
   */
  async function applied(actor: SessionActor, id: string, { commit }: z.output<typeof PatchAppliedBody>): Promise<Patch> {
    const { projectId, session } = actor;
    const own = await rules(projectId);
    return claims.attempt(projectId, () =>
      ledger.change(actor, 'apply', async (tx, at) => {
        await requireLive(tx, session);
        const patch = await require(tx, projectId, id);
        if (patch.state === 'applied' && session.lineage.includes(patch.closedBy?.sessionId ?? '')) return view(patch);
        const held = await heldFor(tx, projectId, session);
        const paths = parseTouches(patch.paths, 'paths', own);
        const missing = paths.filter((path) => !held.some(({ claim }) => overlaps(claim, path)));
        requireFree(await obstacles(tx, projectId, missing, session.lineage));
        if (missing.length > 0) throw notHeld(missing);
        requireOpen(patch);
        const fence = held.find(({ claim }) => paths.some((path) => overlaps(claim, path)))?.hold.fence ?? 0;
        return close(tx, at, actor, patch, 'applied', { fence, commit });
      }),
    );
  }

  async function reject(actor: Actor, id: string, { reason }: { reason?: string | undefined }): Promise<Patch> {
    const { projectId, session, engineer, role } = actor;
    const own = await rules(projectId);
    return claims.attempt(projectId, () =>
      ledger.change(actor, 'reject', async (tx, at) => {
        if (session) await requireLive(tx, session);
        const patch = await require(tx, projectId, id);
        if (patch.state === 'rejected' && patch.closedBy?.engineerId === engineer.id) return view(patch);
        requireOpen(patch);
        const paths = parseTouches(patch.paths, 'paths', own);
        const held = session ? await heldFor(tx, projectId, session) : [];
        if (role !== 'lead' && !held.some(({ claim }) => paths.some((path) => overlaps(claim, path)))) throw notHeld(paths);
        return close(tx, at, actor, patch, 'rejected', { note: reason ?? null });
      }),
    );
  }

  async function withdraw(actor: Actor, id: string): Promise<Patch> {
    return ledger.change(actor, 'withdraw', async (tx, at) => {
      const patch = await require(tx, actor.projectId, id);
      if (patch.author.engineerId !== actor.engineer.id && actor.role !== 'lead') throw notYours(patch);
      if (patch.state === 'withdrawn') return view(patch);
      requireOpen(patch);
      return close(tx, at, actor, patch, 'withdrawn', {});
    });
  }

  /** Under the lock, of one that was found open: nobody can have been first. */
  async function close(
    tx: Queryable,
    at: Change,
    { engineer, session, projectId }: Actor,
    patch: PatchRow,
    as: 'applied' | 'rejected' | 'withdrawn' | 'superseded',
    how: { fence?: number; commit?: string | undefined; note?: string | null },
  ): Promise<Patch> {
    await closePatch(tx, patch.id, as, { engineerId: engineer.id, sessionId: session?.id ?? null, ...how });
    const type = as === 'applied' ? 'patch_applied' : as === 'rejected' ? 'patch_rejected' : 'patch_withdrawn';
    const { fence, commit = null, note = null } = how;
    at.emit({ type, data: { ...named(patch), as, note, ...(fence === undefined ? {} : { fence, commit }) } });
    return view(await require(tx, projectId, patch.id));
  }

  async function require(on: Queryable, projectId: string, id: string): Promise<PatchRow> {
    const found = isUuid(id) ? await patchById(on, projectId, id) : undefined;
    if (!found) throw notFound();
    return found;
  }

  const open = async (projectId: string, limit?: number): Promise<Patch[]> => (await openPatches(database.db, projectId, limit)).map(view);

  return { offer, list, get, applied, reject, withdraw, open };
}

/** What an event says of a patch; its text is for whoever looks at it. */
const named = ({ id, paths, author }: Patch) => ({ patchId: id, paths, author: author.sessionId });

function filesAsClaims(files: Array<{ path: string }>, own: Rules): Claim[] {
  const wanted = parseTouches(
    files.map(({ path }) => ({ path, kind: 'file' as const, mode: 'write' as const })),
    'diff',
    own,
  );
  const odd = wanted.find(({ kind }) => kind !== 'file');
  if (odd) throw new AppError('VALIDATION_ERROR', `diff: ${odd.display} is no name of one file.`, { details: { field: 'diff' } });
  return wanted;
}

/** What a session and its ancestors hold for writing. */
async function heldFor(on: Queryable, projectId: string, { lineage }: SessionRef): Promise<Array<{ claim: Claim; hold: Hold }>> {
  const holds = (await openHolds(on, projectId, { sessions: lineage })).filter(({ parkedAt }) => !parkedAt);
  const byId = new Map(holds.map((hold) => [hold.id, hold]));
  return (await claimsOf(on, [...byId.keys()])).flatMap((claim) => {
    const hold = byId.get(claim.holdId);
    return hold && claim.mode === 'write' ? [{ claim, hold }] : [];
  });
}

function requireOpen({ state, closedBy }: Patch): void {
  if (state === 'open') return;
  const by = closedBy ? ` by ${closedBy.engineerName}${closedBy.agent ? ` (${closedBy.agent})` : ''}` : '';
  throw new AppError('INVALID_STATUS_TRANSITION', `This patch was ${state}${by} already; nothing was changed.`, { details: { state } });
}

const nobodyHolds = (wanted: Claim[]) =>
  new AppError(
    'INVALID_STATUS_TRANSITION',
    `Nobody else holds ${shown(wanted)}: claim and change it yourself (nexus claims add ${wanted[0]?.display ?? ''}). No patch was kept.`,
  );

const notHeld = (paths: Claim[]) =>
  new AppError(
    'FENCED',
    `This session does not hold ${shown(paths)}: only who does may answer for it. \`nexus why ${paths[0]?.display ?? ''}\` says who.`,
    {
      details: { paths: paths.map(formatClaim) },
    },
  );

const notYours = ({ author }: Patch) =>
  new AppError(
    'INSUFFICIENT_ROLE',
    `This patch is ${author.engineerName}'s: they take it back, or a lead. Whoever holds its paths may reject it.`,
  );

const tooMany = () =>
  new AppError(
    'INVALID_STATUS_TRANSITION',
    `There are ${MAX_OPEN_PATCHES} open patches in this project. Withdraw some of yours first (nexus patch list --mine).`,
  );

const shown = (paths: Claim[]) =>
  paths.length > 3 ? `${paths.slice(0, 3).map(formatClaim).join(', ')} and ${paths.length - 3} more` : paths.map(formatClaim).join(', ');
