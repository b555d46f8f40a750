import { type ErrorCode, errorStatus } from '@nexus/contract';

/** A refusal that the caller can act on. `message` says what to do next; anything else that is thrown is a bug and answers 500. */
export class AppError extends Error {
  override name = 'AppError';
  readonly code: ErrorCode;
  readonly details: unknown;
  readonly headers: Record<string, string>;
  constructor(code: ErrorCode, message: string, options: { details?: unknown; headers?: Record<string, string>; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.details = options.details;
    this.headers = options.headers ?? {};
  }
  get status() {
    return errorStatus[this.code];
  }
}

/** Unknown and foreign things answer alike, byte for byte: nobody learns what exists elsewhere. */
export const notFound = () => new AppError('NOT_FOUND', 'No such thing here, or not in a project of yours. Check the id or slug.');

export const unavailable = (what: string, cause?: unknown) =>
  new AppError(
    'SERVICE_UNAVAILABLE',
    `${what} cannot be reached at the moment. Try again shortly; a call that is repeated with its Idempotency-Key takes place once.`,
    {
      headers: { 'retry-after': '1' },
      cause,
    },
  );

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EAI_AGAIN',
  'ENOENT',
  'ERR_SOCKET_CLOSED',
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'TRANSACTION_OVER',
]);
/** PostgreSQL: connection trouble (08), shutdown and start (57P0x), too many clients (53300), timeouts (57014, 55P03), retryable (40001, 40P01). */
const sqlStates = /^(08...|57P0.|53...|57014|55P03|40001|40P01|25P0[23])$/;

/** Was this failure the database being away, rather than a mistake in what was asked of it? */
export const isDatabaseAway = (error: unknown): boolean => hasCode(error, (code) => networkCodes.has(code) || sqlStates.test(code));

/** Did the connection break, so that nothing more can be said on it? */
export const isConnectionLost = (error: unknown): boolean => hasCode(error, (code) => networkCodes.has(code));

function hasCode(error: unknown, matches: (code: string) => boolean): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as Error & { code?: unknown };
    if (typeof code === 'string' && matches(code)) return true;
  }
  return false;
}

/** The name of the unique constraint that refused a row, if that is what happened. */
export function violatedConstraint(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    // The two drivers name it differently.
    const { code, constraint, constraint_name: name } = cause as Error & { code?: unknown; constraint?: string; constraint_name?: string };
    if (code === '23505') return constraint ?? name ?? 'unique';
  }
  return undefined;
}
