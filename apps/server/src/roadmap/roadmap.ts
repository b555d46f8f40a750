import { type Feature, type Lane, lanes, type MoveBody, type ReorderBody, type Roadmap } from '@nexus/contract';
import type { z } from 'zod';
import type { Database, Queryable } from '../engines/database/database.ts';
import { brief, featureBySlug, type FeatureRow, openFeatures, setPlaces, view } from '../features/index.ts';
import type { Change, Ledger } from '../ledger/index.ts';
import type { Actor } from '../platform/actor.ts';
import { AppError, notFound } from '../platform/errors.ts';
import { arrange } from './order.ts';

export type Roadmaps = ReturnType<typeof createRoadmap>;

type Place = { lane: Lane; priority: number };

/** What is to be done, and in which order. Every move is one change under the project's lock, so none is lost to another. */
export function createRoadmap({ database, ledger }: { database: Database; ledger: Ledger }) {
  const show = async (projectId: string): Promise<Roadmap> => board(projectId, await openFeatures(database.db, projectId));

  /** Each lane's named features come to stand in the order given, also those that stood in another lane. */
  async function reorder(actor: Actor, body: z.output<typeof ReorderBody>): Promise<Roadmap> {
    return ledger.change(actor, 'reorder', async (tx, at) => {
      const rows = await openFeatures(tx, actor.projectId);
      const wanted = lanes.map((lane) => [lane, body[lane] ?? []] as const);
      for (const slug of wanted.flatMap(([, slugs]) => slugs)) await requireOpen(tx, actor.projectId, rows, slug);
      const laneOf = new Map(wanted.flatMap(([lane, slugs]) => slugs.map((slug): [string, Lane] => [slug, lane])));
      const places = new Map<string, Place>();
      for (const [lane, slugs] of wanted) {
        const standing = rows.filter((row) => row.lane === lane && (laneOf.get(row.slug) ?? lane) === lane);
        for (const [slug, priority] of arrange(standing, slugs)) places.set(slug, { lane, priority });
      }
      return board(actor.projectId, await moved(tx, at, rows, places));
    });
  }

  /** To a lane: before or after another feature, at a priority, or at its end. Already there, without a place: nothing changes. */
  async function move(actor: Actor, slug: string, body: z.output<typeof MoveBody>): Promise<Feature> {
    return ledger.change(actor, 'move', async (tx, at) => {
      const { lane, priority } = body;
      const rows = await openFeatures(tx, actor.projectId);
      const row = await requireOpen(tx, actor.projectId, rows, slug);
      const others = rows.filter((one) => one.lane === lane && one.slug !== slug);
      const beside = body.before ?? body.after;
      if (beside !== undefined && !others.some((one) => one.slug === beside))
        throw notInLane(beside, lane, body.before ? 'before' : 'after');
      const order = beside === undefined ? [slug] : body.before ? [slug, beside] : [beside, slug];
      const stays = priority === undefined && beside === undefined && row.lane === lane;
      const places = stays ? new Map<string, number>() : priority === undefined ? arrange(others, order) : new Map([[slug, priority]]);
      const now = await moved(tx, at, rows, new Map([...places].map(([one, key]) => [one, { lane, priority: key }])));
      return view(now.find((one) => one.slug === slug) ?? row);
    });
  }

  /** Writes and tells what changes place. Answers all of them, in their new order. */
  async function moved(tx: Queryable, at: Change, rows: FeatureRow[], places: Map<string, Place>): Promise<FeatureRow[]> {
    const changed = rows.flatMap((row) => {
      const place = places.get(row.slug);
      return place && (place.lane !== row.lane || place.priority !== row.priority) ? [{ row, place }] : [];
    });
    if (changed.length === 0) return rows;
    at.write(
      setPlaces(
        tx,
        changed.map(({ row, place }) => ({ id: row.id, ...place })),
      ),
    );
    for (const { row, place } of changed)
      for (const field of ['lane', 'priority'] as const)
        if (row[field] !== place[field])
          at.emit({ type: 'feature_updated', feature: brief(row), data: { field, oldValue: row[field], newValue: place[field] } });
    const now = new Map(changed.map(({ row, place }) => [row.id, { ...row, ...place, version: row.version + 1, updatedAt: at.now }]));
    return rows.map((row) => now.get(row.id) ?? row).sort((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : 1));
  }

  return { show, reorder, move };
}

const board = (projectId: string, rows: FeatureRow[]): Roadmap => ({
  projectId,
  lanes: lanes.map((lane) => ({ lane, features: rows.filter((row) => row.lane === lane).map((row) => view(row)) })),
});

async function requireOpen(tx: Queryable, projectId: string, open: FeatureRow[], slug: string): Promise<FeatureRow> {
  const row = open.find((one) => one.slug === slug);
  if (row) return row;
  const closed = await featureBySlug(tx, projectId, slug);
  if (!closed) throw notFound();
  throw new AppError('INVALID_STATUS_TRANSITION', `${slug} is ${closed.status}: it is not on the roadmap any more. Leave it out.`, {
    details: { slug, status: closed.status },
  });
}

const notInLane = (slug: string, lane: Lane, field: string) =>
  new AppError('VALIDATION_ERROR', `${slug} does not stand in ${lane}. \`nexus roadmap show\` lists what does.`, {
    details: { field, value: slug },
  });
