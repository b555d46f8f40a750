import { sql } from 'drizzle-orm';
import { keyKinds, type Scope } from '@nexus/contract';
import { index, integer, pgTable, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { projects } from '../projects/projects.table.ts';

const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

export const engineers = pgTable(
  'engineers',
  {
    id: uuid('id').primaryKey(),
    name: text('name').notNull(),
    email: text('email').notNull(),
    kind: text('kind', { enum: ['human', 'agent', 'service'] })
      .notNull()
      .default('human'),
    role: text('role', { enum: ['admin', 'engineer', 'readonly'] })
      .notNull()
      .default('engineer'),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (t) => [uniqueIndex('engineers_email').on(sql`lower(${t.email})`)],
);

export const apiKeys = pgTable(
  'api_keys',
  {
    id: uuid('id').primaryKey(),
    /** The public part of the key, by which it is found. */
    keyId: text('key_id').notNull(),
    engineerId: uuid('engineer_id')
      .notNull()
      .references(() => engineers.id),
    kind: text('kind', { enum: keyKinds }).notNull().default('engineer'),
    name: text('name').notNull().default(''),
    scopes: text('scopes')
      .array()
      .$type<Scope[]>()
      .notNull()
      .default(sql`'{read,claim,write,manage}'`),
    /** It works in this project alone. */
    projectId: uuid('project_id').references(() => projects.id),
    /** argon2id, as a PHC string. */
    hash: text('hash').notNull(),
    /** Counts the secrets of the key: `hash` is of the newest, `old_hash` of the one before. */
    secret: integer('secret').notNull().default(1),
    oldHash: text('old_hash'),
    oldUntil: at('old_until'),
    lastUsedAt: at('last_used_at'),
    createdAt: at('created_at').notNull().defaultNow(),
    expiresAt: at('expires_at'),
    revokedAt: at('revoked_at'),
  },
  (t) => [uniqueIndex('api_keys_key_id').on(t.keyId), index('api_keys_engineer').on(t.engineerId)],
);

export const invitations = pgTable(
  'invitations',
  {
    id: uuid('id').primaryKey(),
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    keyId: text('key_id').notNull(),
    /** SHA-256 of the code: it has 178 random bits, so a slow hash would add nothing. */
    hash: text('hash').notNull(),
    role: text('role', { enum: ['lead', 'member', 'readonly'] }).notNull(),
    email: text('email'),
    createdBy: uuid('created_by')
      .notNull()
      .references(() => engineers.id),
    createdAt: at('created_at').notNull().defaultNow(),
    expiresAt: at('expires_at').notNull(),
    usedAt: at('used_at'),
    usedBy: uuid('used_by').references(() => engineers.id),
    revokedAt: at('revoked_at'),
  },
  (t) => [uniqueIndex('invitations_key_id').on(t.keyId), index('invitations_project').on(t.projectId, t.createdAt)],
);
