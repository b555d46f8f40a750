import { bigint, index, jsonb, pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { projects } from '../projects/projects.table.ts';

const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
const count = (name: string) => bigint(name, { mode: 'number' });

/** One row a project: its lock puts the project's changes in order. Apart from `projects`, whose row foreign keys lock too. */
export const ledgers = pgTable('ledgers', {
  projectId: uuid('project_id')
    .primaryKey()
    .references(() => projects.id),
  /** Renewed when the database turns out to have been restored: versions and sequences then count another history. */
  ledgerId: uuid('ledger_id').notNull(),
  /** The last fence given. */
  fence: count('fence').notNull().default(0),
  /** Counts changes of who holds what and who lives. */
  ver: count('ver').notNull().default(0),
  /** The last event's number. */
  eventSeq: count('event_seq').notNull().default(0),
});

export const events = pgTable(
  'events',
  {
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    seq: count('seq').notNull(),
    type: text('type').notNull(),
    at: at('at').notNull().defaultNow(),
    engineerId: uuid('engineer_id'),
    sessionId: uuid('session_id'),
    featureId: uuid('feature_id'),
    correlationId: text('correlation_id'),
    /** What readers need besides: actor's name and agent, the feature's slug and title, and the event's own data. */
    payload: jsonb('payload').notNull(),
  },
  (t) => [primaryKey({ columns: [t.projectId, t.seq] }), index('events_at').on(t.at)],
);

/** What a POST answered, kept in the same commit as its effect, so that its retry finds it. */
export const idempotency = pgTable(
  'idempotency',
  {
    engineerId: uuid('engineer_id').notNull(),
    key: text('key').notNull(),
    fingerprint: text('fingerprint').notNull(),
    answer: jsonb('answer').notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.engineerId, t.key] }), index('idempotency_created_at').on(t.createdAt)],
);
