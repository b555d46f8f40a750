import { featureStatuses, lanes } from '@nexus/contract';
import { boolean, doublePrecision, index, integer, jsonb, pgTable, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { engineers } from '../auth/auth.table.ts';
import { projects } from '../projects/projects.table.ts';

const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

export const features = pgTable(
  'features',
  {
    id: uuid('id').primaryKey(),
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    slug: text('slug').notNull(),
    title: text('title').notNull(),
    spec: text('spec').notNull(),
    status: text('status', { enum: featureStatuses }).notNull().default('draft'),
    lane: text('lane', { enum: lanes }).notNull(),
    /** A number between its neighbours': moving a feature writes one row. */
    priority: doublePrecision('priority').notNull(),
    /** Canonical spelling, as @nexus/paths formats it. */
    touches: jsonb('touches').$type<string[]>().notNull(),
    /** Slugs of this project; a feature that others depend on cannot be deleted. */
    dependsOn: jsonb('depends_on').$type<string[]>().notNull(),
    interrupted: boolean('interrupted').notNull().default(false),
    /** The open hold that stands for it; set exactly while it is active. */
    holdId: uuid('hold_id'),
    /** Who wrote it before it was imported: `createdBy` is then who did that. */
    author: jsonb('author').$type<{ name: string; email: string }>(),
    createdBy: uuid('created_by')
      .notNull()
      .references(() => engineers.id),
    claimedBy: uuid('claimed_by').references(() => engineers.id),
    claimedAt: at('claimed_at'),
    completedAt: at('completed_at'),
    createdAt: at('created_at').notNull().defaultNow(),
    updatedAt: at('updated_at').notNull().defaultNow(),
    version: integer('version').notNull().default(1),
  },
  (t) => [uniqueIndex('features_slug').on(t.projectId, t.slug), index('features_status').on(t.projectId, t.status)],
);
