import { learningKinds, learningScopes } from '@nexus/contract';
import { bigint, index, integer, jsonb, pgTable, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { engineers } from '../auth/auth.table.ts';
import { features } from '../features/features.table.ts';
import { projects } from '../projects/projects.table.ts';

const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
/** Who wrote it before it was imported: its row belongs to the engineer who did that. */
const author = () => jsonb('author').$type<{ name: string; email: string }>();

/** Notes; added, never changed. */
export const learnings = pgTable(
  'learnings',
  {
    id: uuid('id').primaryKey(),
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    /** What it was learned on, also where it came too late to be of the feature. A draft that is deleted leaves its notes. */
    featureId: uuid('feature_id').references(() => features.id, { onDelete: 'set null' }),
    engineerId: uuid('engineer_id')
      .notNull()
      .references(() => engineers.id),
    author: author(),
    sessionId: uuid('session_id'),
    scope: text('scope', { enum: learningScopes }).notNull(),
    kind: text('kind', { enum: learningKinds }).notNull(),
    tags: jsonb('tags').$type<string[]>().notNull(),
    content: text('content').notNull(),
    fence: bigint('fence', { mode: 'number' }),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (t) => [index('learnings_project').on(t.projectId, t.createdAt, t.id), index('learnings_feature').on(t.featureId, t.createdAt, t.id)],
);

export const decisions = pgTable(
  'decisions',
  {
    id: uuid('id').primaryKey(),
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    number: integer('number').notNull(),
    featureId: uuid('feature_id').references(() => features.id, { onDelete: 'set null' }),
    engineerId: uuid('engineer_id')
      .notNull()
      .references(() => engineers.id),
    author: author(),
    sessionId: uuid('session_id'),
    title: text('title').notNull(),
    decision: text('decision').notNull(),
    rationale: text('rationale'),
    alternatives: text('alternatives'),
    supersedes: uuid('supersedes'),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex('decisions_number').on(t.projectId, t.number),
    // A decision is replaced once: what follows it is a chain, never a tree.
    uniqueIndex('decisions_supersedes').on(t.supersedes),
    index('decisions_feature').on(t.featureId, t.number),
  ],
);
