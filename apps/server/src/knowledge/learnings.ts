import type { AddLearningBody, AddNoteBody, Learning, ListLearningsQuery, ListNotesQuery } from '@nexus/contract';
import { z } from 'zod';
import type { Database, Queryable } from '../engines/database/database.ts';
import type { Features } from '../features/index.ts';
import type { Change, Ledger } from '../ledger/index.ts';
import type { Actor } from '../platform/actor.ts';
import { notFound } from '../platform/errors.ts';
import { indexEntries } from '../search/index.ts';
import { sessionById } from '../sessions/index.ts';
import { decodeCursor, paged } from '../platform/cursor.ts';
import { insertLearning, learningById, learningsPage } from './learnings.store.ts';

export type Learnings = ReturnType<typeof createLearnings>;

const Position = z.tuple([z.iso.datetime().refine((at) => at > '1970'), z.guid()]);
/** Events have at most 8 KB: enough of it to tell whether one wants to read it. */
const EXCERPT = 200;

type Added = Omit<z.output<typeof AddLearningBody>, 'fence'> & {
  feature: { id: string; slug: string; title: string } | undefined;
  scope: Learning['scope'];
  fence: number | null;
};

/** What was learned on the way. Anybody who is in may add to it, alive or not; nobody changes it. */
export function createLearnings({ database, ledger, features }: { database: Database; ledger: Ledger; features: Features }) {
  /** One that comes after the work it speaks of was over is not the feature's any more, and still not lost. */
  async function add(actor: Actor, slug: string, body: z.output<typeof AddLearningBody>): Promise<Learning> {
    return ledger.change(actor, 'learn', async (tx, at) => {
      const [feature, session] = await Promise.all([
        features.require(tx, actor.projectId, slug),
        actor.session && sessionById(tx, actor.session.id),
      ]);
      const late =
        feature.status === 'done' ||
        feature.status === 'cancelled' ||
        (session !== undefined && session.status !== 'active') ||
        (body.fence !== undefined && body.fence !== feature.hold?.fence);
      return append(tx, at, actor, { ...body, feature, scope: late ? 'project' : 'feature', fence: body.fence ?? null });
    });
  }

  const addNote = (actor: Actor, body: z.output<typeof AddNoteBody>): Promise<Learning> =>
    ledger.change(actor, 'learn', (tx, at) => append(tx, at, actor, { ...body, feature: undefined, scope: 'project', fence: null }));

  async function append(tx: Queryable, at: Change, actor: Actor, { feature, ...added }: Added): Promise<Learning> {
    const id = Bun.randomUUIDv7();
    const { scope, kind, fence } = added;
    await insertLearning(tx, {
      ...added,
      id,
      projectId: actor.projectId,
      featureId: feature?.id ?? null,
      engineerId: actor.engineer.id,
      sessionId: actor.session?.id ?? null,
      tags: [...new Set(added.tags)],
    });
    const { content: body, tags } = added;
    await indexEntries(tx, actor.projectId, [
      { kind: 'learning', id, featureId: feature?.id ?? null, engineerId: actor.engineer.id, title: '', body, tags },
    ]);
    at.emit({
      type: 'learning_added',
      ...(feature ? { feature: { id: feature.id, slug: feature.slug, title: feature.title } } : {}),
      data: { learningId: id, kind, scope, fence, excerpt: added.content.slice(0, EXCERPT).toWellFormed() },
    });
    const learning = await learningById(tx, id);
    if (!learning) throw notFound();
    return learning;
  }

  async function list(projectId: string, query: z.output<typeof ListNotesQuery>, featureId?: string) {
    const { limit, kind, tag, scope } = query;
    const [at, id] = query.cursor === undefined ? [] : decodeCursor(query.cursor, Position);
    const from = at !== undefined && id !== undefined ? { at, id } : undefined;
    const found = await learningsPage(database.db, projectId, { featureId, scope, kind, tag, from, limit: limit + 1 });
    return paged(found, limit, (row) => [row.createdAt, row.id]);
  }

  async function ofFeature(projectId: string, slug: string, query: z.output<typeof ListLearningsQuery>) {
    return list(projectId, query, (await features.require(database.db, projectId, slug)).id);
  }

  return { add, addNote, list, ofFeature };
}
