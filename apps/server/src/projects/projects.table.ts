import type { ProjectPolicy } from '@nexus/contract';
import { index, jsonb, pgTable, primaryKey, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';

const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

export const projects = pgTable(
  'projects',
  {
    id: uuid('id').primaryKey(),
    name: text('name').notNull(),
    slug: text('slug').notNull(),
    /** Slugs are unique for their owner only: a slug taken elsewhere would tell that it exists there. */
    ownerId: uuid('owner_id').notNull(),
    repoUrl: text('repo_url'),
    repoPath: text('repo_path'),
    defaultBranch: text('default_branch').notNull(),
    /** Fixed at creation: changing it would change what overlaps. */
    pathCase: text('path_case', { enum: ['insensitive', 'sensitive'] })
      .notNull()
      .default('insensitive'),
    /** What guards do; absent fields are the contract's defaults. */
    policy: jsonb('policy').$type<Partial<ProjectPolicy>>(),
    createdAt: at('created_at').notNull().defaultNow(),
    updatedAt: at('updated_at').notNull().defaultNow(),
  },
  (t) => [uniqueIndex('projects_owner_slug').on(t.ownerId, t.slug)],
);

export const members = pgTable(
  'members',
  {
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    engineerId: uuid('engineer_id').notNull(),
    role: text('role', { enum: ['lead', 'member', 'readonly'] }).notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.projectId, t.engineerId] }), index('members_engineer').on(t.engineerId)],
);
