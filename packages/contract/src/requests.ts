import { z } from 'zod';
import { ClaimInputs, Line, Timestamp } from './common.ts';

/** `freed`: the claim ended by another way. `withdrawn`: whoever asked is gone. */
export const requestAnswers = ['yielded', 'refused', 'freed', 'withdrawn'] as const;

/** Somebody asks for what another session holds. It goes to the holder with the next heartbeat, and its answer back the same way. */
export const Request = z
  .object({
    id: z.string(),
    projectId: z.string(),
    path: z.string(),
    /** The claim in its way, which is what a yield gives back. */
    heldPath: z.string(),
    reason: z.string().nullable(),
    /** Null: the project asks, for a brief path that has been held too long. */
    askedBy: z.object({ sessionId: z.string(), engineerId: z.string(), engineerName: z.string(), agent: z.string() }).nullable(),
    holder: z.object({
      sessionId: z.string(),
      engineerName: z.string(),
      agent: z.string(),
      featureSlug: z.string().nullable(),
      fence: z.number().int(),
    }),
    askedAt: Timestamp,
    /** Set while the holder has nothing uncommitted there, and had not for long: given back then, unless refused or edited before. */
    yieldsAt: Timestamp.nullable(),
    /** Two that ask each other: this session, the younger, commits and gives back; it cannot refuse. */
    givesBack: z.string().nullable(),
    state: z.enum(['open', ...requestAnswers]),
    /** The holder's words, or the rule that answered. */
    note: z.string().nullable(),
    answeredAt: Timestamp.nullable(),
  })
  .meta({ id: 'Request' });
export type Request = z.infer<typeof Request>;

export const AskBody = z.strictObject({ paths: ClaimInputs.min(1), reason: Line(500).optional() });
export const Asked = z
  .object({
    /** In nobody's way now, parked ones included: claim or edit them. */
    free: z.array(z.string()),
    requests: z.array(Request),
  })
  .meta({ id: 'Asked' });

export const YieldBody = z.strictObject({
  paths: ClaimInputs.min(1),
  /** What of a wider claim stays claimed, such as what is being edited; must not overlap `paths`. */
  keep: ClaimInputs.optional(),
});
export const Yielded = z
  .object({
    /** Claims given back, each whole: a claim is not cut in two. */
    released: z.array(z.string()),
    kept: z.array(z.string()),
    requests: z.array(Request),
  })
  .meta({ id: 'Yielded' });
export type Yielded = z.infer<typeof Yielded>;

export const RefuseBody = z.strictObject({ paths: ClaimInputs.min(1), reason: Line(500).optional() });
