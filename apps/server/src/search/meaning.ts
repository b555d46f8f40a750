import type { LexicalBecause } from '@nexus/contract';
import type { Database } from '../engines/database/database.ts';
import { type Embeddings, TextsRefused } from '../engines/embeddings/embeddings.ts';
import type { Log } from '../platform/log.ts';
import type { Embedder } from './embedder.ts';
import type { Filters, Reader } from './search.store.ts';
import { bringUpPgvector, hasVectors, nearestEntries } from './vectors.store.ts';

export type Meaning = ReturnType<typeof createMeaning>;

/** A search waits no longer for its own vector. */
const PATIENCE_MS = 1500;
/** After it waited in vain others do not, for so long; then one tries. */
const QUIET_MS = 5000;
/** As many as can come before everything that is found by words alone. */
const NEAREST = 50;
/** Something is always the nearest. What is less than half as near as the best has nothing to do with it: models differ in all but that. */
const NEAR_ENOUGH = 0.5;
/** What was replaced is found after what stands. */
const REPLACED = 0.5;

/** Finds what means the same, in other words. */
export function createMeaning({
  database: { db },
  embeddings,
  embedder,
  log,
}: {
  database: Database;
  embeddings: Embeddings;
  embedder: Embedder;
  log: Log;
}) {
  const { model } = embeddings;
  let quietUntil = 0;
  let pgvector: Promise<boolean> | undefined;

  /** The vector of a query; undefined while none is to be had. */
  async function read(q: string): Promise<number[] | undefined> {
    const now = performance.now();
    if (now < quietUntil) return undefined;
    if (quietUntil > 0) quietUntil = now + QUIET_MS;
    try {
      const [vector] = await embeddings.embed([q], { timeoutMs: PATIENCE_MS });
      quietUntil = 0;
      if (vector) embedder.lengthIs(vector.length);
      return vector;
    } catch (error) {
      if (error instanceof TextsRefused) return undefined;
      if (quietUntil === 0) log.warn({ err: error }, 'search: by words alone, until the embeddings provider answers again');
      quietUntil = performance.now() + QUIET_MS;
      return undefined;
    }
  }

  /** The nearest entries, nearest first, or why there are none to be had. */
  async function nearest(reader: Reader, vector: number[], filters: Filters): Promise<string[] | LexicalBecause> {
    pgvector ??= bringUpPgvector(db).catch(() => false);
    const found = await nearestEntries(db, reader, { model, vector, filters, pgvector: await pgvector });
    if (found.length === 0 && !(await hasVectors(db, reader.projectId, model, vector.length))) return 'catching_up';
    const best = Math.max(...found.map(({ likeness }) => likeness));
    const weight = ({ likeness, replaced }: (typeof found)[number]) => likeness * (replaced ? REPLACED : 1);
    return found
      .filter(({ likeness }) => likeness > 0 && likeness >= best * NEAR_ENOUGH)
      .sort((a, b) => weight(b) - weight(a) || (a.id < b.id ? 1 : -1))
      .slice(0, NEAREST)
      .map(({ id }) => id);
  }

  return { read, nearest };
}
