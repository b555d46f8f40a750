import { sql } from 'drizzle-orm';
import { type PatchWithDiff, patchStates } from '@nexus/contract';
import { bigint, index, integer, jsonb, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { engineers } from '../auth/auth.table.ts';
import { projects } from '../projects/projects.table.ts';
import { sessions } from '../sessions/sessions.table.ts';

const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

/** A change left for whoever holds its paths. Open while `closedAt` is null. */
export const patches = pgTable(
  'patches',
  {
    id: uuid('id').primaryKey(),
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    engineerId: uuid('engineer_id')
      .notNull()
      .references(() => engineers.id),
    sessionId: uuid('session_id')
      .notNull()
      .references(() => sessions.id),
    /** What its author worked on: whoever takes that over is told in their place. */
    featureId: uuid('feature_id'),
    paths: jsonb('paths').$type<string[]>().notNull(),
    files: jsonb('files').$type<PatchWithDiff['files']>().notNull(),
    diff: text('diff').notNull(),
    bytes: integer('bytes').notNull(),
    base: text('base'),
    why: text('why'),
    replaces: uuid('replaces'),
    state: text('state', { enum: patchStates }).notNull().default('open'),
    createdAt: at('created_at').notNull().defaultNow(),
    /** Since when nobody stands in its author's way. */
    freeAt: at('free_at'),
    closedAt: at('closed_at'),
    /** Null where time closed it. */
    closedEngineer: uuid('closed_engineer').references(() => engineers.id),
    closedSession: uuid('closed_session').references(() => sessions.id),
    fence: bigint('fence', { mode: 'number' }),
    commit: text('commit'),
    note: text('note'),
  },
  (t) => [
    index('patches_open')
      .on(t.projectId, t.createdAt)
      .where(sql`${t.closedAt} is null`),
    index('patches_closed').on(t.closedAt),
    index('patches_project').on(t.projectId, t.createdAt, t.id),
  ],
);
