import { z } from 'zod';

/** Every error code and its HTTP status. Codes are stable; messages are for people and may change. */
export const errorStatus = {
  VALIDATION_ERROR: 400,
  PATH_EMPTY: 400,
  PATH_ENCODING: 400,
  PATH_CONTROL: 400,
  PATH_ABSOLUTE: 400,
  PATH_ESCAPES: 400,
  PATH_GITDIR: 400,
  PATH_EMPTY_SEGMENT: 400,
  PATH_TOO_LONG: 400,
  PATH_GLOB_TOO_COMPLEX: 400,
  PATH_RESOURCE: 400,
  UNAUTHORIZED: 401,
  INVALID_API_KEY: 401,
  FORBIDDEN: 403,
  INSUFFICIENT_ROLE: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  ALREADY_EXISTS: 409,
  INVALID_STATUS_TRANSITION: 409,
  FILE_ALREADY_CLAIMED: 409,
  TOO_MANY_GLOBS: 409,
  FENCED: 409,
  LAST_LEAD: 409,
  NOTHING_AVAILABLE: 409,
  DEPENDENCIES_UNMET: 409,
  QUEUED_AHEAD: 409,
  WAIT_WHILE_HOLDING: 409,
  REQUEST_IN_PROGRESS: 409,
  UNDECLARED_WRITES: 409,
  RANGE_EXHAUSTED: 409,
  SESSION_LOST: 410,
  PRECONDITION_FAILED: 412,
  PAYLOAD_TOO_LARGE: 413,
  IDEMPOTENCY_KEY_REUSED: 422,
  RATE_LIMITED: 429,
  INTERNAL_ERROR: 500,
  SERVICE_UNAVAILABLE: 503,
} as const;

export type ErrorCode = keyof typeof errorStatus;
const codes = Object.keys(errorStatus) as [ErrorCode, ...ErrorCode[]];

/** Who stands in the way of a path. `filePath` is what was asked for, `heldPath` what is held: paths or patterns, as their users spelled them. */
export const Conflict = z
  .object({
    filePath: z.string(),
    heldPath: z.string(),
    mode: z.enum(['read', 'write']),
    claimedBy: z.object({
      engineerId: z.string(),
      engineerName: z.string(),
      sessionId: z.string(),
      agent: z.string(),
      featureId: z.string().nullable(),
      featureSlug: z.string().nullable(),
      fence: z.number().int(),
      claimedAt: z.string(),
      /** Null for a parked hold: it has no lease, and yields to `resume` or after 24 h. */
      expiresAt: z.string().nullable(),
      parked: z.boolean(),
      /** The feature is done, and its paths are held until this commit is on the default branch, or for 72 h. */
      landing: z.object({ commit: z.string().nullable() }).optional(),
    }),
  })
  .meta({ id: 'Conflict' });
export type Conflict = z.infer<typeof Conflict>;

/** A path that somebody finished with: whoever takes it next should have that commit. */
export const Finished = z
  .object({
    path: z.string(),
    commit: z.string(),
    at: z.string(),
    engineerName: z.string(),
    agent: z.string(),
    sessionId: z.string(),
    featureSlug: z.string().nullable(),
  })
  .meta({ id: 'Finished' });
export type Finished = z.infer<typeof Finished>;

export const ErrorBody = z
  .object({
    error: z.object({
      code: z.enum(codes),
      message: z.string(),
      details: z.unknown().optional(),
      requestId: z.string(),
    }),
  })
  .meta({ id: 'Error' });
export type ErrorBody = z.infer<typeof ErrorBody>;
