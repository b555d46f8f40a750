import { z } from 'zod';
import { page, PageQuery, Slug, Text, Timestamp } from './common.ts';
import { Tag } from './knowledge.ts';

export const searchKinds = ['learning', 'decision', 'spec', 'checkpoint', 'message'] as const;
export const SearchKind = z.enum(searchKinds);
export type SearchKind = z.infer<typeof SearchKind>;

const Moment = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()])
  .refine((at) => at >= '1970', 'Give a time, such as 2026-11-30 or 2026-11-30T12:00:00Z.');

export const SearchQuery = PageQuery.extend({
  /** Words, in any form and order; small typos are forgiven. With a provider of embeddings, other words for the same as well. */
  q: Text(500).refine((text) => text.trim() !== '', 'Say what to look for.'),
  kind: SearchKind.optional(),
  feature: Slug.optional(),
  tag: Tag.optional(),
  /** Id or email address of the author. */
  engineer: Text(320).optional(),
  since: Moment.optional(),
  until: Moment.optional(),
  limit: PageQuery.shape.limit.prefault(20),
  cursor: z.string().max(12_288).optional(),
});

export const SearchHit = z
  .object({
    kind: SearchKind,
    id: z.string(),
    featureId: z.string().nullable(),
    featureSlug: z.string().nullable(),
    engineerId: z.string(),
    engineerName: z.string(),
    title: z.string(),
    /** The passage that fits best, with the found words between `**`. */
    snippet: z.string(),
    tags: z.array(z.string()),
    /** A decision that another one replaced. */
    replaced: z.boolean(),
    /** Of two hits the better one's is higher; it says nothing beside those of another search. */
    score: z.number(),
    createdAt: Timestamp,
  })
  .meta({ id: 'SearchHit' });
export type SearchHit = z.infer<typeof SearchHit>;

/** `no_provider`: none is set. `provider_away`: it gave no answer in time. `catching_up`: it has read nothing of the project yet. */
export const lexicalBecause = ['no_provider', 'provider_away', 'catching_up'] as const;
export type LexicalBecause = (typeof lexicalBecause)[number];

export const SearchPage = page(SearchHit)
  .extend({
    /** Words that stand nowhere, and what was looked for in their place. */
    corrections: z.array(z.object({ word: z.string(), instead: z.array(z.string()) })),
    /** `lexical`: by words alone. `hybrid`: by meaning as well, through a provider of embeddings. */
    mode: z.enum(['lexical', 'hybrid']),
    /** Why not by meaning as well. */
    lexicalBecause: z.enum(lexicalBecause).nullable(),
  })
  .meta({ id: 'SearchPage' });
export type SearchPage = z.infer<typeof SearchPage>;
