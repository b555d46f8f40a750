import { z } from 'zod';
import { isStorable, PageQuery, Slug, Timestamp } from './common.ts';

export const messageAudiences = ['session', 'feature', 'path', 'project'] as const;

const Payload = z
  .union([z.string(), z.record(z.string().max(64), z.unknown())])
  .refine((value) => JSON.stringify(value).length <= 8192, 'A payload is limited to 8 KB.')
  .refine(isStorable, 'NUL characters and broken Unicode are not allowed here.');

export const SendMessageBody = z
  .strictObject({
    /** One session, whoever holds a feature or a path now, or every live session. Default: who wrote the message replied to. */
    to: z
      .union([
        z.strictObject({ session: z.string().max(64) }),
        z.strictObject({ feature: Slug }),
        z.strictObject({ path: z.string().max(1100) }),
        z.strictObject({ project: z.literal(true) }),
      ])
      .optional(),
    kind: z
      .string()
      .regex(/^[a-z][a-z0-9_-]{0,31}$/, 'Use up to 32 lower-case letters, digits, dashes or underscores, such as "question".')
      .default('note'),
    payload: Payload,
    replyTo: z.string().max(64).optional(),
    /** When it should be acknowledged, counted from now by the server's clock: a client's says nothing. */
    deadlineSeconds: z.number().int().min(1).max(2_592_000).optional(),
  })
  .refine(({ to, replyTo }) => to !== undefined || replyTo !== undefined, {
    message: 'Say whom it is for, or what it replies to.',
    path: ['to'],
  });
export type SendMessageBody = z.output<typeof SendMessageBody>;

export const Message = z
  .object({
    id: z.string(),
    projectId: z.string(),
    /** The id of the first message of the thread. */
    threadId: z.string(),
    replyTo: z.string().nullable(),
    kind: z.string(),
    payload: z.union([z.string(), z.record(z.string(), z.unknown())]),
    from: z.object({
      engineerId: z.string(),
      engineerName: z.string(),
      sessionId: z.string().nullable(),
      agent: z.string().nullable(),
    }),
    /** `about`: the feature or the path whose holders were meant. */
    to: z.object({ audience: z.enum(messageAudiences), about: z.string().nullable() }),
    recipients: z.array(
      z.object({
        engineerId: z.string(),
        engineerName: z.string(),
        /** Null: the person, for they wrote without a session. */
        sessionId: z.string().nullable(),
        agent: z.string().nullable(),
        /** When it was first given to the session's keeper or client. */
        toldAt: Timestamp.nullable(),
        acknowledgedAt: Timestamp.nullable(),
      }),
    ),
    deadline: Timestamp.nullable(),
    /** The deadline passed, and somebody has not acknowledged it. */
    overdue: z.boolean(),
    createdAt: Timestamp,
  })
  .meta({ id: 'Message' });
export type Message = z.infer<typeof Message>;

export const ListMessagesQuery = PageQuery.extend({
  /** To sessions of the caller, from the caller, or to the whole project. */
  box: z.enum(['inbox', 'sent', 'project']).default('inbox'),
  /** In the inbox: to this session of the caller's alone, by its id or as `<agent>:<agent's session id>`. */
  session: z.string().max(300).optional(),
  /** In the inbox: what is not acknowledged yet. */
  open: z.enum(['true', 'false']).default('false'),
  /** Of this thread alone, whichever box. */
  thread: z.string().max(64).optional(),
});

export const AcknowledgeBody = z
  .strictObject({
    /** Of the caller's: for this one alone. Default: all of them. */
    session: z.string().max(300).optional(),
  })
  .prefault({});
