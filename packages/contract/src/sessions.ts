import { z } from 'zod';
import { Commit, isStorable, Line, Slug, Timestamp } from './common.ts';
import { Message } from './messages.ts';
import { PatchNews } from './patches.ts';
import { Request } from './requests.ts';

export const sessionStatuses = ['active', 'stale', 'lost', 'ended'] as const;
export const sessionEndReasons = ['ended', 'died'] as const;

const Metadata = z
  .record(z.string().max(64), z.unknown())
  .refine((value) => JSON.stringify(value).length <= 8192, 'Metadata is limited to 8 KB.')
  .refine(isStorable, 'NUL characters and broken Unicode are not allowed here.');

/** Gets or creates the live session of (agent, agentSessionId); without `agentSessionId` the key's default session in this project. */
export const OpenSessionBody = z.strictObject({
  featureId: z.string().max(64).nullish(),
  metadata: Metadata.optional(),
  /** Which program; the default session is nobody's and ignores it. */
  agent: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,31}$/, 'Use up to 32 lower-case letters, digits, dots, dashes or underscores, such as "claude".')
    .optional(),
  agentSessionId: Line(200).optional(),
  /** Makes a child session, for a subagent: it works beside its parent's claims and ends with it. */
  parentId: z.string().max(64).nullish(),
  /** A keeper beats for it: the short lease. */
  keeper: z.boolean().optional(),
});
export type OpenSessionBody = z.input<typeof OpenSessionBody>;

export const OpenHold = z.object({ featureSlug: z.string().nullable(), fence: z.number().int() });
export type OpenHold = z.infer<typeof OpenHold>;

export const Session = z
  .object({
    id: z.string(),
    projectId: z.string(),
    engineerId: z.string(),
    featureId: z.string().nullable(),
    status: z.enum(sessionStatuses),
    lastHeartbeat: Timestamp,
    metadata: z.record(z.string(), z.unknown()),
    createdAt: Timestamp,
    parentId: z.string().nullable(),
    agent: z.string(),
    agentSessionId: z.string().nullable(),
    keeper: z.boolean(),
    leaseSeconds: z.number(),
    /** Null when the session is over, or while the lease store is away. */
    expiresAt: Timestamp.nullable(),
    /** Slugs that the agent's previous session, under the same agentSessionId, held when it ended and nobody took since: `resume` adopts what is parked or interrupted, `pick` what is ready. */
    resumable: z.array(z.string()).optional(),
  })
  .meta({ id: 'Session' });
export type Session = z.infer<typeof Session>;

export const ActiveSession = z
  .object({ session: Session, engineer: z.object({ id: z.string(), name: z.string(), email: z.string() }) })
  .meta({ id: 'ActiveSession' });

const LostHold = OpenHold.extend({ reason: z.enum(['lost', 'forced', 'handed_over']) });
export const Heartbeat = z
  .object({
    ok: z.literal(true),
    leaseSeconds: z.number(),
    expiresAt: Timestamp,
    holds: z.array(OpenHold),
    /** Holds of this session that somebody else ended since its last beat. */
    lost: z.array(LostHold),
    /** What others ask of this session, and what became of what it asked itself: open ones, and those answered a while ago. */
    requests: z.array(Request),
    /** What was sent to this session and not acknowledged, and of what it sent what nobody acknowledged in time; for ten minutes. */
    messages: z.array(Message),
    /** Open patches for what this session holds, those of its own that it may apply now, and what became of its own a while ago. */
    patches: z.array(PatchNews),
    /** The lease store is away: nothing expires, and holds may be missing here. */
    degraded: z.boolean(),
  })
  .meta({ id: 'Heartbeat' });
export type Heartbeat = z.infer<typeof Heartbeat>;

const Count = z.number().int().min(0).max(1_000_000);
export const HeartbeatsBody = z.strictObject({
  sessions: z.array(z.string().max(64)).min(1).max(500),
  /** What the guard saw since the last beat: edits tried, and of them those denied. */
  activity: z
    .array(z.strictObject({ session: z.string().max(64), edits: Count, denials: Count }))
    .max(500)
    .optional(),
  /** Uncommitted paths of each session's worktree, all of them; `more` when they were too many to name. */
  dirty: z
    .array(z.strictObject({ session: z.string().max(64), paths: z.array(z.string().max(1100)).max(500), more: z.boolean() }))
    .max(500)
    .optional(),
});
export const Heartbeats = z
  .object({
    sessions: z.array(
      Heartbeat.omit({ ok: true, expiresAt: true }).extend({
        id: z.string(),
        /** `over`: lost or ended. `unknown`: never heard of, or not yours. */
        state: z.enum(['ok', 'over', 'unknown']),
        expiresAt: Timestamp.nullable(),
      }),
    ),
  })
  .meta({ id: 'Heartbeats' });
export type Heartbeats = z.infer<typeof Heartbeats>;

export const EndSessionBody = z
  .strictObject({
    /** `died`: its process was seen to be gone; the session is lost at once, without grace. */
    reason: z.enum(sessionEndReasons).default('ended'),
    /** Features whose work is not committed: their holds are parked for 24 h. */
    unlanded: z.array(Slug).max(100).default([]),
    /** The commit that has the work on what is released. */
    commit: Commit.optional(),
  })
  .prefault({});
