import { type LexicalBecause, lexicalBecause, isStorable, type SearchPage, type SearchQuery } from '@nexus/contract';
import { z } from 'zod';
import type { Database } from '../engines/database/database.ts';
import type { Actor } from '../platform/actor.ts';
import { decodeCursor, paged } from '../platform/cursor.ts';
import { createBoth, Both } from './both.ts';
import type { Meaning } from './meaning.ts';
import { type Filters, longerWords, readQuery, type Reader, searchEntriesFor, similarWords, type Term } from './search.store.ts';
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
const Terms = z.array(z.object({ words: z.array(Word).min(1).max(8), docs: z.number(), weight: z.number().min(0).max(100) })).max(TERMS);
const ByWords = z.object({
  terms: Terms.min(1),
  score: z.number().min(0).max(1e6),
  id: z.guid(),
  because: z.enum(lexicalBecause).default('no_provider'),
});
const Position = z.union([ByWords, Both.extend({ terms: Terms })]);

/**
 * One query over all that is written in a project. PostgreSQL finds and stems; how rare a word is comes from our own count;
 * what means the same in other words is found through `meaning`, where there is a provider of embeddings.
 */
export function createSearch({ database, meaning }: { database: Database; meaning: Meaning | undefined }) {
  const { db } = database;
  const both = createBoth({ database });

  /** Finds nothing that was written to others only. */
  async function search(
    { projectId, engineer }: Pick<Actor, 'projectId' | 'engineer'>,
    query: z.output<typeof SearchQuery>,
  ): Promise<SearchPage> {
    const { q, limit, cursor, since, until, ...others } = query;
    const reader = { projectId, engineerId: engineer.id };
    const time = (at: string | undefined) => at && new Date(at).toISOString();
    const filters = { ...others, since: time(since), until: time(until) };
    if (cursor !== undefined) {
      // The pages of one search weigh alike, whatever is written meanwhile: so the cursor carries the weights.
      const from = decodeCursor(cursor, Position);
      if ('head' in from)
        return { ...(await both.page(reader, filters, from, limit)), corrections: [], mode: 'hybrid', lexicalBecause: null };
      return byWords(reader, filters, { ...from, from, corrections: [] }, limit);
    }
    const [{ terms, corrections }, vector] = await Promise.all([understand(projectId, q), meaning?.read(q)]);
    const [near, words = []] =
      meaning && vector ? await Promise.all([meaning.nearest(reader, vector, filters), both.rank(reader, filters, terms)]) : [];
    if (!Array.isArray(near)) {
      const because = near ?? (meaning ? 'provider_away' : 'no_provider');
      return byWords(reader, filters, { terms, corrections, because, from: undefined }, limit);
    }
    const from = both.start(terms, words, near);
    return { ...(await both.page(reader, filters, from, limit, { fresh: true })), corrections, mode: 'hybrid', lexicalBecause: null };
  }

  async function byWords(
    reader: Reader,
    filters: Filters,
    {
      terms,
      from,
      because,
      corrections,
    }: {
      terms: Term[];
      from: { score: number; id: string } | undefined;
      because: LexicalBecause;
      corrections: SearchPage['corrections'];
    },
    limit: number,
  ): Promise<SearchPage> {
    const found = await searchEntriesFor(db, reader, { terms, filters, from, limit: limit + 1 });
    const page = paged(found, limit, ({ score, id }) => ({ terms, score, id, because }));
    return { ...page, corrections, mode: 'lexical', lexicalBecause: because };
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
