import { sql } from 'drizzle-orm';
import { waitEnds } from '@nexus/contract';
import { bigint, index, integer, jsonb, pgTable, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { engineers } from '../auth/auth.table.ts';
import { projects } from '../projects/projects.table.ts';
import { sessions } from '../sessions/sessions.table.ts';

const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
const count = (name: string) => bigint(name, { mode: 'number' });

/** A place in the queue. Open while `endedAt` is null; kept after that, for it says how long paths were waited for. */
export const waits = pgTable(
  'waits',
  {
    id: uuid('id').primaryKey(),
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    sessionId: uuid('session_id')
      .notNull()
      .references(() => sessions.id),
    engineerId: uuid('engineer_id')
      .notNull()
      .references(() => engineers.id),
    /** Null: for paths, ad hoc. */
    featureId: uuid('feature_id'),
    /** Canonical spelling. A feature's are its touches as long as the wait is open; here is what it ended with. */
    paths: jsonb('paths').$type<string[]>().notNull(),
    reason: text('reason'),
    /** Who came first: the version of the ledger that it came with. */
    seq: count('seq').notNull(),
    /** How many later ones that overlap were granted before it. */
    passed: integer('passed').notNull().default(0),
    createdAt: at('created_at').notNull().defaultNow(),
    until: at('until').notNull(),
    endedAt: at('ended_at'),
    endedAs: text('ended_as', { enum: waitEnds }),
    fence: count('fence'),
    note: text('note'),
  },
  (t) => [
    uniqueIndex('waits_open_session')
      .on(t.sessionId)
      .where(sql`${t.endedAt} is null`),
    index('waits_open')
      .on(t.projectId)
      .where(sql`${t.endedAt} is null`),
    index('waits_created').on(t.projectId, t.createdAt),
  ],
);
