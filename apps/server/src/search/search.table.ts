import { searchKinds } from '@nexus/contract';
import {
  boolean,
  customType,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  real,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';
import { projects } from '../projects/projects.table.ts';

const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
const tsvector = customType<{ data: string }>({ dataType: () => 'tsvector' });
const bits = customType<{ data: string }>({ dataType: () => 'bit varying' });
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

/**
 * What each entry means, as the provider of embeddings sees it. The row is written with the entry, and says by `dims` 0 and
 * no model that the provider has not read it; that is done later, beside everything else. No type here needs pgvector,
 * which a database may lack: `real[]` is cast to its vector where it is there.
 */
export const searchVectors = pgTable(
  'search_vectors',
  {
    kind: text('kind', { enum: searchKinds }).notNull(),
    id: uuid('id').notNull(),
    projectId: uuid('project_id').notNull(),
    /** As in the entry, which is wide: to read 100,000 of them takes three times as long as these rows. */
    readers: uuid('readers').array(),
    /** Of the entry's text: what was read when it said something else is not kept. */
    hash: text('hash').notNull(),
    model: text('model').notNull().default(''),
    /** How many numbers the vector has; 0 with a model: it will not read this text. */
    dims: integer('dims').notNull().default(0),
    vector: real('vector').array(),
    /** Of each number whether it is above 0: a hundredth of the size of the vector, and enough to find what may be near. */
    signs: bits('signs'),
  },
  (t) => [
    primaryKey({ columns: [t.kind, t.id] }),
    foreignKey({ columns: [t.kind, t.id], foreignColumns: [searchEntries.kind, searchEntries.id], name: 'search_vectors_entry' }).onDelete(
      'cascade',
    ),
    index('search_vectors_project').on(t.projectId),
    index('search_vectors_model').on(t.model, t.dims),
  ],
);
