import { checkpointTypes } from '@nexus/contract';
import { sql } from 'drizzle-orm';
import { bigint, boolean, index, jsonb, pgTable, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { engineers } from '../auth/auth.table.ts';
import { features } from '../features/features.table.ts';
import { projects } from '../projects/projects.table.ts';
import { sessions } from './sessions.table.ts';

export const checkpoints = pgTable(
  'checkpoints',
  {
    id: uuid('id').primaryKey(),
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    featureId: uuid('feature_id')
      .notNull()
      .references(() => features.id),
    sessionId: uuid('session_id')
      .notNull()
      .references(() => sessions.id),
    engineerId: uuid('engineer_id')
      .notNull()
      .references(() => engineers.id),
    /** The hold that it was saved under. */
    fence: bigint('fence', { mode: 'number' }).notNull(),
    type: text('type', { enum: checkpointTypes }).notNull(),
    stateHash: text('state_hash').notNull(),
    activeClaims: jsonb('active_claims').$type<string[]>().notNull(),
    context: jsonb('context').$type<Record<string, unknown>>().notNull(),
    notes: text('notes'),
    isLatest: boolean('is_latest').notNull().default(true),
    createdAt: timestamp('created_at', { withTimezone: true, precision: 3 }).notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex('checkpoints_latest')
      .on(t.featureId)
      .where(sql`${t.isLatest}`),
    index('checkpoints_feature').on(t.featureId, t.createdAt),
    index('checkpoints_created_at').on(t.createdAt),
  ],
);
