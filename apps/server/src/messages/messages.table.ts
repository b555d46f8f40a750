import { sql } from 'drizzle-orm';
import { type Message, messageAudiences } from '@nexus/contract';
import { index, jsonb, pgTable, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { engineers } from '../auth/auth.table.ts';
import { projects } from '../projects/projects.table.ts';
import { sessions } from '../sessions/sessions.table.ts';

const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

export const messages = pgTable(
  'messages',
  {
    id: uuid('id').primaryKey(),
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id),
    threadId: uuid('thread_id').notNull(),
    replyTo: uuid('reply_to'),
    kind: text('kind').notNull(),
    payload: jsonb('payload').$type<Message['payload']>().notNull(),
    engineerId: uuid('engineer_id')
      .notNull()
      .references(() => engineers.id),
    /** Null: a person wrote without a session. */
    sessionId: uuid('session_id').references(() => sessions.id),
    audience: text('audience', { enum: messageAudiences }).notNull(),
    about: text('about'),
    deadline: at('deadline'),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (t) => [
    index('messages_project').on(t.projectId, t.createdAt, t.id),
    index('messages_deadline')
      .on(t.deadline)
      .where(sql`${t.deadline} is not null`),
  ],
);

/** Whom a message reached, as it was resolved when it was sent. */
export const messageRecipients = pgTable(
  'message_recipients',
  {
    messageId: uuid('message_id')
      .notNull()
      .references(() => messages.id),
    engineerId: uuid('engineer_id')
      .notNull()
      .references(() => engineers.id),
    sessionId: uuid('session_id').references(() => sessions.id),
    createdAt: at('created_at').notNull().defaultNow(),
    toldAt: at('told_at'),
    acknowledgedAt: at('acknowledged_at'),
  },
  (t) => [
    uniqueIndex('message_recipients_one').on(t.messageId, t.engineerId, t.sessionId),
    index('message_recipients_engineer').on(t.engineerId, t.createdAt),
    index('message_recipients_open')
      .on(t.createdAt)
      .where(sql`${t.acknowledgedAt} is null`),
  ],
);
