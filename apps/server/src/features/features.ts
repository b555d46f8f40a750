import type { AvailableFeature, CreateFeatureBody, Feature, FeatureStatus, Lane } from '@nexus/contract';
import type { z } from 'zod';
import type { ListFeaturesQuery, UpdateFeatureBody } from '@nexus/contract';
import {
  aheadOf,
  claimable,
  type Claims,
  formatTouches,
  parseTouches,
  pathsHeldBy,
  queueOf,
  requireFew,
  toConflict,
} from '../claims/index.ts';
import type { Database, Queryable } from '../engines/database/database.ts';
import type { Change, Ledger } from '../ledger/index.ts';
import type { Actor, SessionActor } from '../platform/actor.ts';
import { AppError, notFound } from '../platform/errors.ts';
import type { Rules } from '../projects/index.ts';
import { isUuid } from '../platform/ids.ts';
import { dropEntries, indexEntries } from '../search/index.ts';
import { requireLive } from '../sessions/index.ts';
import {
  deleteDraft,
  dependencies,
  existing,
  featureById,
  featureBySlug,
  type FeatureRow,
  featuresOf,
  featuresPage,
  insertFeature,
  lastPriority,
  moveOn,
  notDone,
  updateFields,
  view,
} from './features.store.ts';

import { decodeCursor, encodeCursor } from './cursor.ts';
import { findCycle } from './cycle.ts';
import { handovers, isLeft } from './handover.ts';
import { brief, fenced, illegal, unmetError } from './refusals.ts';

export type Features = ReturnType<typeof createFeatures>;

type Needs = {
  database: Database;
  ledger: Ledger;
  claims: Claims;
  rules: (projectId: string) => Promise<Rules>;
  deadlines: (projectId: string) => Promise<Map<string, number>>;
};

type Update = z.output<typeof UpdateFeatureBody>;

/** Specs and the order they are offered in. Who works on them is decided in lifecycle.ts. */
export function createFeatures({ database, ledger, claims, rules, deadlines }: Needs) {
  async function require(on: Queryable, projectId: string, slug: string): Promise<FeatureRow> {
    const row = await featureBySlug(on, projectId, slug);
    if (!row) throw notFound();
    return row;
  }

  async function create(actor: Actor, body: CreateFeatureBody): Promise<Feature> {
    const wanted = parseTouches(body.touches ?? [], 'touches', await rules(actor.projectId));
    requireFew(wanted, 'touches');
    const touches = formatTouches(wanted);
    const dependsOn = [...new Set(body.dependsOn ?? [])];
    const lane = body.lane ?? 'next';
    return ledger.change(actor, 'create', async (tx, at) => {
      const [taken, last] = await Promise.all([existing(tx, actor.projectId, [body.slug]), lastPriority(tx, actor.projectId, lane)]);
      if (taken.size > 0)
        throw new AppError('ALREADY_EXISTS', `A feature ${body.slug} exists already. Choose another slug.`, { details: { field: 'slug' } });
      await requireSoundDependencies(tx, actor.projectId, body.slug, dependsOn);
      const id = Bun.randomUUIDv7();
      const priority = body.priority ?? Math.floor(last) + 1;
      await insertFeature(tx, {
        id,
        projectId: actor.projectId,
        slug: body.slug,
        title: body.title,
        spec: body.spec,
        lane,
        priority,
        touches,
        dependsOn,
        createdBy: actor.engineer.id,
      });
      await indexSpec(tx, actor.projectId, { id, title: body.title, spec: body.spec, createdBy: actor.engineer.id });
      at.emit({ type: 'feature_created', feature: { id, slug: body.slug, title: body.title }, data: { lane, priority, touches } });
      return body.ready
        ? offer(tx, at, await require(tx, actor.projectId, body.slug))
        : view(await require(tx, actor.projectId, body.slug));
    });
  }

  /** Existing slugs only, and no cycle: a cycle would wait for itself for ever. */
  async function requireSoundDependencies(tx: Queryable, projectId: string, slug: string, dependsOn: string[]) {
    if (dependsOn.length === 0) return;
    const [known, graph] = await Promise.all([existing(tx, projectId, dependsOn), dependencies(tx, projectId)]);
    const missing = dependsOn.filter((other) => !known.has(other) && other !== slug);
    if (missing.length > 0) {
      throw new AppError('VALIDATION_ERROR', `There is no feature ${missing.join(', ')} to depend on.`, {
        details: { field: 'dependsOn', value: missing },
      });
    }
    graph.set(slug, dependsOn);
    const cycle = findCycle(graph, slug);
    if (cycle)
      throw new AppError('VALIDATION_ERROR', `These would wait for each other: ${cycle.join(' → ')}.`, {
        details: { field: 'dependsOn', cycle },
      });
  }

  async function list(projectId: string, query: z.output<typeof ListFeaturesQuery>) {
    const from = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
    const found = await featuresPage(database.db, projectId, { status: query.status, lane: query.lane, from, limit: query.limit + 1 });
    const items = found.slice(0, query.limit);
    const hasMore = found.length > query.limit;
    const last = items.at(-1);
    return {
      items: items.map(({ row }) => view(row)),
      nextCursor: hasMore && last ? encodeCursor(last.position) : null,
      hasMore,
    };
  }

  async function available(actor: Actor): Promise<AvailableFeature[]> {
    const lineage = actor.session?.lineage ?? [];
    const [ready, own] = await Promise.all([featuresOf(database.db, actor.projectId, 'ready'), rules(actor.projectId)]);
    const [inWay, left, unmet, begun, queue] = await Promise.all([
      claims.obstaclesOf(database.db, actor.projectId, ready, lineage, own),
      deadlines(actor.projectId),
      unmetOf(database.db, actor.projectId, ready),
      handovers(database.db, actor.projectId, ready.filter(isLeft)),
      queueOf(database.db, actor.projectId, own),
    ]);
    const offered = ready.map((row): AvailableFeature => {
      const conflicts = (inWay.get(row.id) ?? []).map((obstacle) => toConflict(obstacle, left));
      const [first] = conflicts;
      const [ahead] = aheadOf(queue, { claims: claimable(row.touches, own), featureId: row.id }, lineage);
      const blockedBy = first
        ? { engineerId: first.claimedBy.engineerId, engineerName: first.claimedBy.engineerName, featureSlug: first.claimedBy.featureSlug }
        : ahead
          ? { engineerId: ahead.wait.engineerId, engineerName: ahead.wait.engineerName, featureSlug: ahead.wait.feature?.slug ?? null }
          : null;
      return { ...view(row), ...begun.get(row.id), blockedBy, conflicts, waitsFor: unmet.get(row.id) ?? [] };
    });
    const blocked = (feature: AvailableFeature) => feature.blockedBy !== null || feature.waitsFor.length > 0;
    return [...offered.filter((feature) => !blocked(feature)), ...offered.filter(blocked)];
  }

  async function unmetOf(on: Queryable, projectId: string, wanted: FeatureRow[]): Promise<Map<string, string[]>> {
    const slugs = [...new Set(wanted.flatMap(({ dependsOn }) => dependsOn))];
    const open = new Set(await notDone(on, projectId, slugs));
    return new Map(wanted.map(({ id, dependsOn }) => [id, dependsOn.filter((slug) => open.has(slug))]));
  }

  /** `touches` of an active feature: by its holder, as one extend and shrink of the hold. */
  async function update(actor: Actor, slug: string, body: Update, ifMatch: number | undefined): Promise<Feature> {
    const own = await rules(actor.projectId);
    const touches = body.touches && parseTouches(body.touches, 'touches', own);
    requireFew(touches ?? [], 'touches');
    return claims.attempt(actor.projectId, () =>
      ledger.change(actor, 'update', async (tx, at) => {
        const [row] = await Promise.all([require(tx, actor.projectId, slug), actor.session && requireLive(tx, actor.session)]);
        if (ifMatch !== undefined && ifMatch !== row.version) {
          throw new AppError(
            'PRECONDITION_FAILED',
            `The feature changed meanwhile (it is at version ${row.version}). Read it again and repeat your change.`,
            { details: { version: row.version } },
          );
        }
        if (body.dependsOn) await requireSoundDependencies(tx, actor.projectId, slug, body.dependsOn);
        if (touches && body.fence !== undefined && body.fence !== row.hold?.fence) throw fenced(row, body.fence);
        if (touches && row.status === 'active')
          await claims.reshape(tx, at, actor, row, claimable(formatTouches(touches), own), body.fence);
        if (touches && (row.status === 'done' || row.status === 'cancelled'))
          throw illegal(row, `The paths of a feature that is ${row.status} cannot change.`);
        const next = {
          title: body.title ?? row.title,
          spec: body.spec ?? row.spec,
          lane: body.lane ?? row.lane,
          priority:
            body.priority ??
            (body.lane && body.lane !== row.lane ? Math.floor(await lastPriority(tx, actor.projectId, body.lane)) + 1 : row.priority),
          touches: touches ? formatTouches(touches) : row.touches,
          dependsOn: body.dependsOn ? [...new Set(body.dependsOn)] : row.dependsOn,
        };
        if (emitUpdates(at, row, next)) await updateFields(tx, row.id, next);
        if (next.title !== row.title || next.spec !== row.spec) await indexSpec(tx, actor.projectId, { ...row, ...next });
        return view(await require(tx, actor.projectId, slug));
      }),
    );
  }

  /** A feature that will be pickable once others let go of it; throws for one that will not. */
  async function requireWaitable(tx: Queryable, projectId: string, slug: string): Promise<FeatureRow> {
    const row = await require(tx, projectId, slug);
    if (row.hold?.parked) throw illegal(row, `It is parked: adopt it with nexus feature resume ${slug}.`);
    if (row.status !== 'ready' && row.status !== 'active') throw illegal(row, 'Only a ready or active feature can be waited for.');
    const unmet = await notDone(tx, projectId, row.dependsOn);
    if (unmet.length > 0) throw unmetError(row, unmet);
    return row;
  }

  async function remove(actor: Actor, slug: string): Promise<{ deleted: true }> {
    return ledger.change(actor, 'delete', async (tx, at) => {
      const row = await require(tx, actor.projectId, slug);
      if (row.status !== 'draft') throw illegal(row, `Only drafts are deleted; cancel it instead (nexus feature cancel ${slug}).`);
      const needing = [...(await dependencies(tx, actor.projectId))].filter(([, on]) => on.includes(slug)).map(([other]) => other);
      if (needing.length > 0) throw illegal(row, `${needing.join(', ')} depends on it. Change that first.`);
      await deleteDraft(tx, row.id);
      await dropEntries(tx, actor.projectId, 'spec', [row.id]);
      at.emit({ type: 'feature_deleted', feature: brief(row) });
      return { deleted: true as const };
    });
  }

  /** draft → ready. Once more is the same. */
  async function ready(actor: Actor, slug: string): Promise<Feature> {
    return ledger.change(actor, 'ready', async (tx, at) => {
      const row = await require(tx, actor.projectId, slug);
      if (row.status === 'ready') return view(row);
      if (row.status !== 'draft') throw illegal(row, 'Only a draft becomes ready.');
      return offer(tx, at, row);
    });
  }

  async function offer(tx: Queryable, at: Change, row: FeatureRow): Promise<Feature> {
    await moveOn(tx, [row.id], ['draft'], { status: 'ready', holdId: null, claimedBy: null, interrupted: false });
    at.emit({ type: 'feature_updated', feature: brief(row), data: { field: 'status', oldValue: 'draft', newValue: 'ready' } });
    const warnings = row.touches.length === 0 ? ['It touches no paths: whoever picks it is protected from nobody.'] : [];
    return view(await require(tx, row.projectId, row.slug), warnings);
  }

  async function get(projectId: string, slug: string): Promise<Feature> {
    const row = await require(database.db, projectId, slug);
    return { ...view(row), ...(await handovers(database.db, projectId, [row])).get(row.id) };
  }

  async function ofStatus(projectId: string, status: FeatureStatus, of: { lane?: Lane; interrupted?: true } = {}): Promise<Feature[]> {
    const found = await featuresOf(database.db, projectId, status, of);
    const begun = await handovers(database.db, projectId, found.filter(isLeft));
    return found.map((row) => ({ ...view(row), ...begun.get(row.id) }));
  }

  /** What the actor works under on a feature: its open hold, held by the session or a descendant, and all that both hold. */
  async function standing(tx: Queryable, { projectId, session }: SessionActor, featureId: string, fence: number | undefined) {
    const row = isUuid(featureId) ? await featureById(tx, projectId, featureId) : undefined;
    if (!row) throw notFound();
    const { hold } = row;
    if (!hold || hold.parked || !hold.lineage.includes(session.id) || (fence !== undefined && fence !== hold.fence))
      throw fenced(row, fence);
    return { feature: brief(row), fence: hold.fence, paths: await pathsHeldBy(tx, projectId, [session.id, hold.sessionId]) };
  }

  return { create, list, available, update, remove, ready, get, ofStatus, require, requireWaitable, unmetOf, standing };
}

const indexSpec = (
  tx: Queryable,
  projectId: string,
  { id, title, spec, createdBy }: Pick<FeatureRow, 'id' | 'title' | 'spec' | 'createdBy'>,
) => indexEntries(tx, projectId, [{ kind: 'spec', id, featureId: id, engineerId: createdBy, title, body: spec }]);

function emitUpdates(
  at: Change,
  row: FeatureRow,
  next: Pick<FeatureRow, 'title' | 'spec' | 'lane' | 'priority' | 'touches' | 'dependsOn'>,
): boolean {
  const fields = ['title', 'spec', 'lane', 'priority', 'touches', 'dependsOn'] as const;
  const changed = fields.filter((field) => JSON.stringify(row[field]) !== JSON.stringify(next[field]));
  for (const field of changed) {
    // A spec may have 64 KB: who wants it reads the feature.
    const values = field === 'spec' ? {} : { oldValue: row[field], newValue: next[field] };
    at.emit({ type: 'feature_updated', feature: brief(row), data: { field, ...values } });
  }
  return changed.length > 0;
}
