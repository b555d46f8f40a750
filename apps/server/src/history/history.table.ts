import { date, integer, pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { projects } from '../projects/projects.table.ts';

/** How often a path was in somebody's way, by the day: a refusal is no change of the ledger, and nothing waits for its count. */
export const contention = pgTable(
  'contention',
  {
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    day: date('day').notNull(),
    node: text('node').notNull(),
    kind: text('kind').notNull(),
    display: text('display').notNull(),
    /** Picks and claims. */
    refused: integer('refused').notNull(),
    /** Checks, as guards make them before an edit. */
    denied: integer('denied').notNull(),
    lastAt: timestamp('last_at', { withTimezone: true, precision: 3 }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.projectId, t.day, t.node] })],
);
