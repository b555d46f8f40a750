import { searchKinds } from '@nexus/contract';
import { boolean, customType, index, integer, jsonb, pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { projects } from '../projects/projects.table.ts';

const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
const tsvector = customType<{ data: string }>({ dataType: () => 'tsvector' });
/** Compared by bytes, so that words with one beginning stand together, wherever the database was made. */
const word = customType<{ data: string }>({ dataType: () => 'text collate "C"' });

/** Every text that can be found, written in the commit that writes the text itself. */
export const searchEntries = pgTable(
  'search_entries',
  {
    kind: text('kind', { enum: searchKinds }).notNull(),
    id: uuid('id').notNull(),
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    featureId: uuid('feature_id'),
    engineerId: uuid('engineer_id').notNull(),
    /** As in the row it was made from: who wrote it before it was imported. */
    author: jsonb('author').$type<{ name: string; email: string }>(),
    title: text('title').notNull(),
    body: text('body').notNull(),
    tags: jsonb('tags').$type<string[]>().notNull(),
    /** Who may find it; null: everyone in the project. */
    readers: uuid('readers').array(),
    replaced: boolean('replaced').notNull().default(false),
    /** With one word more that is the project's own: the index then never reads what is of others. */
    terms: tsvector('terms').notNull(),
    at: at('at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.kind, t.id] }),
    index('search_entries_terms').using('gin', t.terms),
    index('search_entries_at').on(t.projectId, t.at),
  ],
);

/** The stems of a project, and in how many entries each is: which tells how much it says. */
export const searchWords = pgTable(
  'search_words',
  {
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    word: word('word').notNull(),
    docs: integer('docs').notNull(),
  },
  (t) => [primaryKey({ columns: [t.projectId, t.word] })],
);

/** Its words as they were written, to recognise a misspelled one by. */
export const searchSpellings = pgTable(
  'search_spellings',
  {
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    spelling: word('spelling').notNull(),
    word: word('word').notNull(),
    /** It, and what is left of it without one letter, each after the end of the project's id. */
    fragments: text('fragments').array().notNull(),
  },
  (t) => [primaryKey({ columns: [t.projectId, t.spelling] }), index('search_spellings_fragments').using('gin', t.fragments)],
);
