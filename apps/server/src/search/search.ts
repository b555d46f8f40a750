import { isStorable, type SearchPage, type SearchQuery } from '@nexus/contract';
import { z } from 'zod';
import type { Database } from '../engines/database/database.ts';
import type { Actor } from '../platform/actor.ts';
import { decodeCursor, paged } from '../platform/cursor.ts';
import { longerWords, readQuery, searchEntriesFor, similarWords, type Term } from './search.store.ts';
import { nearest, piecesOf, type Spelling } from './words.ts';

export type Search = ReturnType<typeof createSearch>;

/** More words than this say nothing more; the rarest are kept. */
const TERMS = 16;
/** How many words may stand in the place of one that is nowhere. */
const INSTEAD = 4;
/** What a guess counts beside a word that was really meant. */
const GUESS = 0.7;

/** A lexeme has at most 2 KB. */
const Word = z.string().min(1).max(500).refine(isStorable);
const Position = z.object({
  terms: z
    .array(z.object({ words: z.array(Word).min(1).max(8), docs: z.number(), weight: z.number().min(0).max(100) }))
    .min(1)
    .max(TERMS),
  score: z.number().min(0).max(1e6),
  id: z.guid(),
});

/** One query over all that is written in a project. PostgreSQL finds and stems; how rare a word is comes from our own count. */
export function createSearch({ database }: { database: Database }) {
  const { db } = database;

  /** Finds nothing that was written to others only. */
  async function search(
    { projectId, engineer }: Pick<Actor, 'projectId' | 'engineer'>,
    query: z.output<typeof SearchQuery>,
  ): Promise<SearchPage> {
    const { q, limit, cursor, since, until, ...filters } = query;
    // The pages of one search weigh alike, whatever is written meanwhile: so the cursor carries the weights.
    const from = cursor === undefined ? undefined : decodeCursor(cursor, Position);
    const { terms, corrections } = from ? { terms: from.terms, corrections: [] } : await understand(projectId, q);
    if (terms.length === 0) return { items: [], nextCursor: null, hasMore: false, corrections };
    const time = (at: string | undefined) => at && new Date(at).toISOString();
    const all = { ...filters, since: time(since), until: time(until) };
    const found = await searchEntriesFor(db, { projectId, engineerId: engineer.id }, { terms, filters: all, from, limit: limit + 1 });
    return { ...paged(found, limit, ({ score, id }) => ({ terms, score, id })), corrections };
  }

  /** What to look for. A word that stands nowhere is completed, or else taken for a slip. */
  async function understand(projectId: string, q: string): Promise<{ terms: Term[]; corrections: SearchPage['corrections'] }> {
    const { asked, total } = await readQuery(db, projectId, `${q} ${piecesOf(q)}`);
    const weightOf = (docs: number) => Math.log(1 + (total - docs + 0.5) / (docs + 0.5));
    const terms: Term[] = asked.filter(({ docs }) => docs > 0).map(({ word, docs }) => ({ words: [word], docs, weight: weightOf(docs) }));
    const unknown = asked.flatMap(({ docs, spelling }) => (docs <= 0 && spelling !== null ? [spelling] : [])).slice(0, TERMS);
    const guessed = await Promise.all(unknown.map(async (word) => ({ word, instead: await guesses(projectId, word) })));
    const corrections: SearchPage['corrections'] = [];
    for (const { word, instead } of guessed.filter((each) => each.instead.length > 0)) {
      const words = new Map(instead.map((each) => [each.word, each.docs]));
      const docs = [...words.values()].reduce((sum, each) => sum + each);
      terms.push({ words: [...words.keys()], docs, weight: GUESS * weightOf(Math.min(docs, total)) });
      corrections.push({ word, instead: instead.map(({ spelling }) => spelling) });
    }
    return { terms: terms.sort((a, b) => b.weight - a.weight).slice(0, TERMS), corrections };
  }

  async function guesses(projectId: string, typed: string): Promise<Spelling[]> {
    const longer = await longerWords(db, projectId, typed, INSTEAD);
    return longer.length > 0 ? longer : nearest(typed, await similarWords(db, projectId, typed), INSTEAD);
  }

  return { search };
}
