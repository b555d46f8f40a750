import { z } from 'zod';
import { Fence, isStorable, Text, Timestamp } from './common.ts';

export const checkpointTypes = ['auto_periodic', 'manual', 'crash_recovery'] as const;

const Context = z
  .record(z.string().max(64), z.unknown())
  .refine((value) => JSON.stringify(value).length <= 32_768, 'A context is limited to 32 KB.')
  .refine(isStorable, 'NUL characters and broken Unicode are not allowed here.');

/** What a session was doing, for whoever resumes. */
export const Checkpoint = z
  .object({
    id: z.string(),
    sessionId: z.string(),
    featureId: z.string(),
    engineerId: z.string(),
    engineerName: z.string(),
    agent: z.string(),
    type: z.enum(checkpointTypes),
    /** Of feature, context and claims: two of the same state have the same. */
    stateHash: z.string(),
    /** Every path that the session held, as it would be claimed. */
    activeClaims: z.array(z.string()),
    /** The client's own; ours writes gitBranch, gitCommit, dirty, diffStat, worktree, machine and wip. */
    context: z.record(z.string(), z.unknown()),
    notes: z.string().nullable(),
    fence: z.number().int(),
    isLatest: z.boolean(),
    createdAt: Timestamp,
  })
  .meta({ id: 'Checkpoint' });
export type Checkpoint = z.infer<typeof Checkpoint>;

export const CheckpointBody = z.strictObject({
  /** The session that holds the feature, which must be the caller's: its id, or `<agent>:<agent's session id>`. */
  sessionId: z.string().max(300),
  featureId: z.string().max(64),
  context: Context.default({}),
  type: z.enum(checkpointTypes).default('manual'),
  notes: Text(16_384).optional(),
  fence: Fence.optional(),
});
export const LatestCheckpointQuery = z.object({ featureId: z.string().max(64) });

/** Where the last session of an interrupted or parked feature worked, and what it held: its uncommitted work may lie there. */
export const LeftBehind = z
  .object({
    sessionId: z.string(),
    engineerName: z.string(),
    agent: z.string(),
    machine: z.string().nullable(),
    worktree: z.string().nullable(),
    gitBranch: z.string().nullable(),
    at: Timestamp,
    paths: z.array(z.string()),
  })
  .meta({ id: 'LeftBehind' });
export type LeftBehind = z.infer<typeof LeftBehind>;
