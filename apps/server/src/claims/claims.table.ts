import { sql } from 'drizzle-orm';
import { bigint, boolean, customType, index, jsonb, pgTable, primaryKey, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import type { Written } from '@nexus/contract';
import { claimKinds } from '@nexus/paths';
import { engineers } from '../auth/auth.table.ts';
import { projects } from '../projects/projects.table.ts';
import { sessions } from '../sessions/sessions.table.ts';

const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
const count = (name: string) => bigint(name, { mode: 'number' });
/** Compared byte by byte: what lies below a directory is then one range. */
const node = customType<{ data: string }>({ dataType: () => 'text collate "C"' });

/** A set of claims under one fence. Open while `endedVer` is null. */
export const holds = pgTable(
  'holds',
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
    /** Null: ad hoc. */
    featureId: uuid('feature_id'),
    fence: count('fence').notNull(),
    reason: text('reason'),
    grantedAt: at('granted_at').notNull().defaultNow(),
    grantedVer: count('granted_ver').notNull(),
    parkedAt: at('parked_at'),
    /** The feature that is done under an earlier hold, and whose paths this one keeps, parked, until its commit has landed. */
    landingOf: uuid('landing_of'),
    commit: text('commit'),
    /** What its end told of its work; null where nobody told. */
    written: jsonb('written').$type<Written>(),
    endedAt: at('ended_at'),
    endedVer: count('ended_ver'),
    endedAs: text('ended_as', { enum: ['released', 'lost', 'forced', 'handed_over'] }),
  },
  (t) => [
    uniqueIndex('holds_fence').on(t.projectId, t.fence),
    uniqueIndex('holds_open_feature')
      .on(t.featureId)
      .where(sql`${t.endedVer} is null`),
    uniqueIndex('holds_landing')
      .on(t.landingOf)
      .where(sql`${t.endedVer} is null`),
    index('holds_open_session')
      .on(t.sessionId)
      .where(sql`${t.endedVer} is null`),
    index('holds_open')
      .on(t.projectId)
      .where(sql`${t.endedVer} is null`),
    index('holds_feature').on(t.featureId, t.fence),
    index('holds_granted').on(t.projectId, t.grantedVer),
    index('holds_ended').on(t.projectId, t.endedVer),
  ],
);

export const claims = pgTable(
  'claims',
  {
    id: uuid('id').primaryKey(),
    projectId: uuid('project_id').notNull(),
    holdId: uuid('hold_id')
      .notNull()
      .references(() => holds.id),
    kind: text('kind', { enum: claimKinds }).notNull(),
    mode: text('mode', { enum: ['read', 'write'] }).notNull(),
    /** The key: what decides. */
    node: node('node').notNull(),
    /** Of a glob: what all that it matches lies below. Null for the others, so that the few globs are found at once. */
    base: node('base'),
    /** What people read. */
    display: text('display').notNull(),
    grantedAt: at('granted_at').notNull().defaultNow(),
    grantedVer: count('granted_ver').notNull(),
    endedVer: count('ended_ver'),
    /** When its holder last had something uncommitted there, as far as it told. */
    touchedAt: at('touched_at'),
  },
  (t) => [
    index('claims_held')
      .on(t.projectId, t.node)
      .where(sql`${t.endedVer} is null`),
    index('claims_globs')
      .on(t.projectId)
      .where(sql`${t.endedVer} is null and ${t.base} is not null`),
    index('claims_hold')
      .on(t.holdId)
      .where(sql`${t.endedVer} is null`),
    index('claims_past')
      .on(t.projectId, t.node)
      .where(sql`${t.endedVer} is not null`),
    index('claims_past_hold')
      .on(t.holdId)
      .where(sql`${t.endedVer} is not null`),
    index('claims_granted').on(t.projectId, t.grantedVer),
    // Partial, or a planner without statistics takes it for what is held, and reads all of that for each path.
    index('claims_ended')
      .on(t.projectId, t.endedVer)
      .where(sql`${t.endedVer} is not null`),
  ],
);

/** Of each path, the commit at which it was last given back. Forgotten after a month. */
export const finishedPaths = pgTable(
  'finished_paths',
  {
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    node: node('node').notNull(),
    /** Of a glob, as in `claims`. */
    base: node('base'),
    kind: text('kind', { enum: claimKinds }).notNull(),
    display: text('display').notNull(),
    commit: text('commit').notNull(),
    /** Who gave it back. */
    holdId: uuid('hold_id')
      .notNull()
      .references(() => holds.id),
    at: at('at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.projectId, t.node] }),
    index('finished_paths_at').on(t.at),
    index('finished_paths_globs')
      .on(t.projectId)
      .where(sql`${t.base} is not null`),
  ],
);

/** What a hold's work wrote, as its end told: beside `claims`, which has what was declared. */
export const writtenPaths = pgTable(
  'written_paths',
  {
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    holdId: uuid('hold_id')
      .notNull()
      .references(() => holds.id),
    node: node('node').notNull(),
    display: text('display').notNull(),
    declared: boolean('declared').notNull(),
    at: at('at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.holdId, t.node] }), index('written_paths_node').on(t.projectId, t.node)],
);
