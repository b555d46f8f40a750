import { sql } from 'drizzle-orm';
import { bigint, index, pgTable, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { allocationKinds } from '@nexus/contract';
import { holds } from '../claims/claims.table.ts';
import { projects } from '../projects/projects.table.ts';
import { sessions } from '../sessions/sessions.table.ts';

const count = (name: string) => bigint(name, { mode: 'number' });

/** Who got which, for good: a counter goes on from its last row, and a port is held as long as its claim stands. */
export const allocations = pgTable(
  'allocations',
  {
    id: uuid('id').primaryKey(),
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    kind: text('kind', { enum: allocationKinds }).notNull(),
    name: text('name').notNull(),
    number: count('number').notNull(),
    sessionId: uuid('session_id')
      .notNull()
      .references(() => sessions.id),
    /** Of a port: its claim in that hold, granted at that version of the ledger. */
    holdId: uuid('hold_id').references(() => holds.id),
    node: text('node'),
    display: text('display'),
    machine: text('machine'),
    ver: count('ver'),
    at: timestamp('at', { withTimezone: true, precision: 3 }).notNull().defaultNow(),
  },
  (t) => [
    // Whatever else goes wrong, no number is given twice.
    uniqueIndex('allocations_number')
      .on(t.projectId, t.name, t.number)
      .where(sql`${t.kind} = 'number'`),
    index('allocations_session').on(t.sessionId),
    index('allocations_project').on(t.projectId, t.id),
  ],
);
