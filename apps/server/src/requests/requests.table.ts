import { sql } from 'drizzle-orm';
import { requestAnswers } from '@nexus/contract';
import { index, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { engineers } from '../auth/auth.table.ts';
import { holds } from '../claims/claims.table.ts';
import { projects } from '../projects/projects.table.ts';
import { sessions } from '../sessions/sessions.table.ts';

const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

/** One asks one for one of their claims. Open while `answeredAt` is null. */
export const requests = pgTable(
  'requests',
  {
    id: uuid('id').primaryKey(),
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    /** Null: the project asks. */
    sessionId: uuid('session_id').references(() => sessions.id),
    engineerId: uuid('engineer_id').references(() => engineers.id),
    /** The claim that is asked for: a hold has one at a node. */
    holdId: uuid('hold_id')
      .notNull()
      .references(() => holds.id),
    node: text('node').notNull(),
    heldPath: text('held_path').notNull(),
    path: text('path').notNull(),
    reason: text('reason'),
    createdAt: at('created_at').notNull().defaultNow(),
    yieldsAt: at('yields_at'),
    /** Two that ask each other: the session that gives back. */
    givesBack: uuid('gives_back'),
    answer: text('answer', { enum: requestAnswers }),
    note: text('note'),
    answeredAt: at('answered_at'),
  },
  (t) => [
    index('requests_open')
      .on(t.projectId)
      .where(sql`${t.answeredAt} is null`),
    index('requests_answered').on(t.projectId, t.answeredAt),
    index('requests_hold').on(t.holdId),
    index('requests_session').on(t.sessionId),
  ],
);
