import { sql } from 'drizzle-orm';
import { bigint, boolean, index, integer, jsonb, pgTable, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { engineers } from '../auth/auth.table.ts';
import { projects } from '../projects/projects.table.ts';

const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
const version = (name: string) => bigint(name, { mode: 'number' });

export const sessions = pgTable(
  'sessions',
  {
    id: uuid('id').primaryKey(),
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    engineerId: uuid('engineer_id')
      .notNull()
      .references(() => engineers.id),
    parentId: uuid('parent_id'),
    /** Itself, its parent, its parent's parent …: fixed at birth. */
    lineage: uuid('lineage').array().notNull(),
    agent: text('agent').notNull(),
    /** The agent's own id of the session; a key's default session has the key's id here. */
    agentSessionId: text('agent_session_id'),
    keeper: boolean('keeper').notNull(),
    ttlMs: integer('ttl_ms').notNull(),
    status: text('status', { enum: ['active', 'lost', 'ended'] })
      .notNull()
      .default('active'),
    metadata: jsonb('metadata').$type<Record<string, unknown>>().notNull(),
    featureId: uuid('feature_id'),
    /** What guards saw: edits tried, and of them those denied. */
    edits: integer('edits').notNull().default(0),
    denials: integer('denials').notNull().default(0),
    /** When its worktree was last looked at for uncommitted paths; null where nobody does. */
    reportedAt: at('reported_at'),
    /** What was uncommitted then in its worktree. */
    dirty: jsonb('dirty').$type<{ paths: string[]; more: boolean }>(),
    createdAt: at('created_at').notNull().defaultNow(),
    endedAt: at('ended_at'),
    openedVer: version('opened_ver').notNull(),
    endedVer: version('ended_ver'),
  },
  (t) => [
    uniqueIndex('sessions_live_agent')
      .on(t.projectId, t.engineerId, t.agent, t.agentSessionId)
      .where(sql`${t.status} = 'active'`),
    index('sessions_live')
      .on(t.projectId)
      .where(sql`${t.status} = 'active'`),
    index('sessions_changed').on(t.projectId, t.openedVer),
    index('sessions_ended').on(t.projectId, t.endedVer),
    index('sessions_agent').on(t.projectId, t.agent, t.agentSessionId),
  ],
);
