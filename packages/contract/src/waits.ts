import { z } from 'zod';
import { ClaimInputs, Line, Slug, Timestamp } from './common.ts';
import { Conflict } from './errors.ts';

/** `refused`: what it waited for cannot be had any more, such as a feature that is done. `lost`: its session is over. */
export const waitEnds = ['granted', 'left', 'expired', 'lost', 'refused'] as const;

/** Joins the queue. A place lasts as long as its session, and `seconds` at most; a session has one, and holds nothing meanwhile. */
export const JoinQueueBody = z
  .strictObject({
    /** Waits for this feature with every path it touches; or name `paths`. */
    featureSlug: Slug.optional(),
    /** Waits to claim these ad hoc, all at once. */
    paths: ClaimInputs.min(1).optional(),
    reason: Line(500).optional(),
    seconds: z.number().int().min(1).max(86_400).default(3600),
  })
  .refine((body) => (body.featureSlug === undefined) !== (body.paths === undefined), {
    message: 'Give either featureSlug or paths.',
    path: ['featureSlug'],
  });
export type JoinQueueBody = z.input<typeof JoinQueueBody>;

/** A place in the queue. No request stays open for it: `wait_ended` in the feed tells when it is over, and reading it as well. */
export const Wait = z
  .object({
    id: z.string(),
    projectId: z.string(),
    sessionId: z.string(),
    engineerId: z.string(),
    engineerName: z.string(),
    agent: z.string(),
    featureSlug: z.string().nullable(),
    /** What it waits to claim. */
    paths: z.array(z.string()),
    reason: z.string().nullable(),
    since: Timestamp,
    until: Timestamp,
    state: z.enum(['waiting', ...waitEnds]),
    /** The hold that it ended in. */
    fence: z.number().int().nullable(),
    /** Why it was refused. */
    note: z.string().nullable(),
    /** Whoever has the feature now. */
    heldBy: z.object({ sessionId: z.string(), agent: z.string(), engineerName: z.string() }).nullable(),
    /** Held paths in its way. */
    conflicts: z.array(Conflict),
    /** Who waits in front of it for paths that overlap, first in line first. */
    behind: z.array(
      z.object({
        waitId: z.string(),
        sessionId: z.string(),
        engineerName: z.string(),
        agent: z.string(),
        featureSlug: z.string().nullable(),
        since: Timestamp,
      }),
    ),
  })
  .meta({ id: 'Wait' });
export type Wait = z.infer<typeof Wait>;
