import type { SearchHit } from '@nexus/contract';
import { z } from 'zod';
import type { Database } from '../engines/database/database.ts';
import { encodeCursor } from '../platform/cursor.ts';
import { fuse, type Fused, pack, scoreOf, unpack } from './fuse.ts';
import {
  entriesNamed,
  type Filters,
  type Position,
  rankEntries,
  type Reader,
  searchEntriesFor,
  stillFound,
  type Term,
} from './search.store.ts';

/** So many of each list are weighed against each other. What comes after them by words is worth less than all of those. */
const HEAD = 50;

const Head = z.string().transform((packed, context): Fused[] => {
  const list = packed === '' ? [] : unpack(packed);
  if (list && list.length <= 2 * HEAD) return list;
  context.addIssue('Not a list.');
  return z.NEVER;
});

/** Where the pages of a search by words and meaning go on. */
export const Both = z.object({
  /** The fused list, all of it: what follows by words must not show it again. */
  head: Head,
  /** How many of it were shown, or are gone. */
  past: z
    .number()
    .int()
    .min(0)
    .max(2 * HEAD),
  /** The last one by words that was weighed or shown, and its place; null: there are no more. */
  tail: z.object({ score: z.number().min(0).max(1e6), id: z.guid(), place: z.number().int().min(0).max(1e6) }).nullable(),
});
type Place = z.output<typeof Both> & { terms: Term[] };

/**
 * Two lists shown as one. Which entries come first, and in which order, is settled with the first page and carried by the
 * cursor: so no page repeats or loses one, whatever is written, read by the provider or removed meanwhile.
 */
export function createBoth({ database: { db } }: { database: Database }) {
  const rank = (reader: Reader, filters: Filters, terms: Term[]) =>
    rankEntries(db, reader, { terms, filters, from: undefined, limit: HEAD });

  function start(terms: Term[], words: Position[], near: string[]): Place {
    const last = words.length === HEAD ? words.at(-1) : undefined;
    const head = fuse(
      words.map(({ id }) => id),
      near.slice(0, HEAD),
    );
    return { terms, head, past: 0, tail: last ? { ...last, place: HEAD } : null };
  }

  /** `fresh`: all of it was found just now. */
  async function page(reader: Reader, filters: Filters, from: Place, limit: number, { fresh = false } = {}) {
    const { terms, head, past, tail } = from;
    const left = head.slice(past).map(({ id }) => id);
    const rest = fresh ? left : await stillFound(db, reader, filters, left);
    const chosen = rest.slice(0, limit);
    const wanted = limit - chosen.length;
    const [named, more] = await Promise.all([
      entriesNamed(db, reader, terms, chosen),
      tail && rest.length <= limit
        ? searchEntriesFor(db, reader, { terms, filters, from: tail, limit: wanted + 1, except: head.map(({ id }) => id) })
        : [],
    ]);
    const places = new Map(head.map((one) => [one.id, one]));
    const items: SearchHit[] = chosen.flatMap((id) => {
      const [hit, place] = [named.find((one) => one.id === id), places.get(id)];
      return hit && place ? [{ ...hit, score: scoreOf(place) }] : [];
    });
    const shown = more.slice(0, wanted);
    const place = tail?.place ?? 0;
    items.push(...shown.map((hit, n) => ({ ...hit, score: scoreOf({ words: place + n + 1, meaning: 0 }) })));

    const lastShown = shown.at(-1);
    const hasMore = rest.length > limit || more.length > wanted;
    const next = {
      terms,
      head: pack(head),
      past: rest.length > limit ? head.findIndex(({ id }) => id === chosen.at(-1)) + 1 : head.length,
      tail: tail && lastShown ? { score: lastShown.score, id: lastShown.id, place: place + shown.length } : tail,
    };
    return { items, nextCursor: hasMore ? encodeCursor(next) : null, hasMore };
  }

  return { rank, start, page };
}
