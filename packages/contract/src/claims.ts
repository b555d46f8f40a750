import { z } from 'zod';
import { ClaimInputs, Commit, Fence, Line, Slug, Timestamp } from './common.ts';
import { Conflict, Finished } from './errors.ts';

export const Claim = z
  .object({
    filePath: z.string(),
    projectId: z.string(),
    engineerId: z.string(),
    engineerName: z.string(),
    featureId: z.string().nullable(),
    claimedAt: Timestamp,
    expiresAt: Timestamp.nullable(),
    featureSlug: z.string().nullable(),
    sessionId: z.string(),
    agent: z.string(),
    kind: z.enum(['file', 'tree', 'glob', 'resource']),
    mode: z.enum(['read', 'write']),
    fence: z.number().int(),
    parked: z.boolean(),
    /** Held, parked, until this commit of a feature that is done has landed. */
    landing: z.object({ commit: z.string().nullable() }).optional(),
  })
  .meta({ id: 'Claim' });
export type Claim = z.infer<typeof Claim>;

export const Refreshed = z.object({ refreshed: z.array(z.string()), notOwned: z.array(z.string()) }).meta({ id: 'Refreshed' });
export const RefreshBody = z.strictObject({ paths: ClaimInputs.optional() }).prefault({});

export const CheckBody = z.strictObject({
  paths: ClaimInputs.min(1),
  /** The commit that the caller's checkout is at: the answer then tells where the paths were finished since. */
  head: Commit.optional(),
});
export const Check = z
  .object({
    /** In the order asked; an explicit glob with braces has an entry for each alternative. */
    paths: z.array(
      z.object({
        path: z.string(),
        /** `mine`: this session or an ancestor holds it, strongly enough. `held`: conflicts name by whom. */
        state: z.enum(['free', 'mine', 'held']),
        conflicts: z.array(Conflict),
        /** Free, but others stand in line for it: they come before this session. */
        waiting: z
          .array(
            z.object({
              engineerName: z.string(),
              agent: z.string(),
              sessionId: z.string(),
              featureSlug: z.string().nullable(),
              since: Timestamp,
            }),
          )
          .optional(),
        /** Where `head` was named: commits of the last 30 days that the path was given back at, latest first. */
        finished: z.array(Finished).optional(),
      }),
    ),
    /** The answer came from the ledger because the lease store is away. */
    degraded: z.boolean(),
  })
  .meta({ id: 'Check' });
export type Check = z.infer<typeof Check>;

export const VerifyBody = z.strictObject({
  paths: ClaimInputs.min(1),
  /** The fence that the change was made under (a commit's trailer): refused when that hold has ended otherwise than by its own session. */
  fence: Fence.optional(),
});
export const Verification = z
  .object({
    /** Held by the acting session or an ancestor. */
    ours: z.array(z.string()),
    theirs: z.array(Conflict),
    unclaimed: z.array(z.string()),
    /** Null when no fence was named. `stale`: lost, forced or handed over, so somebody else may have the paths now. */
    fence: z
      .object({ fence: z.number().int(), state: z.enum(['open', 'released', 'stale', 'unknown']), featureSlug: z.string().nullable() })
      .nullable(),
  })
  .meta({ id: 'Verification' });
export type Verification = z.infer<typeof Verification>;

export const ClaimBody = z.strictObject({
  paths: ClaimInputs.min(1),
  /** Extends this hold of the session; without it, the session's ad hoc hold, which is made when there is none. */
  fence: Fence.optional(),
  featureSlug: Slug.optional(),
  reason: Line(500).optional(),
});
export const ReleaseClaimsBody = z
  .strictObject({
    /** Gives these back; without it the whole ad hoc hold ends. */
    paths: ClaimInputs.min(1).optional(),
    fence: Fence.optional(),
    /** The commit that has the work on them: later takers are told of it. */
    commit: Commit.optional(),
  })
  .prefault({});

export const HeldPaths = z
  .object({
    fence: z.number().int(),
    featureSlug: z.string().nullable(),
    /** Every path the hold now has. */
    paths: z.array(z.string()),
    changed: z.array(z.string()),
  })
  .meta({ id: 'HeldPaths' });
export type HeldPaths = z.infer<typeof HeldPaths>;
