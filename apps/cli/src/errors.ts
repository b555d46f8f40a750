import { NexusError, NexusUnreachable } from '@nexus/client';

export const exitCodes = { ok: 0, failure: 1, usage: 2, conflict: 3, auth: 4, notFound: 5, unreachable: 6, interrupted: 130 } as const;
type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** An error that the command itself found. The message says what to do next. */
export class CliError extends Error {
  override name = 'CliError';
  readonly exit: ExitCode;
  readonly code: string;
  readonly details: unknown;
  constructor(exit: keyof typeof exitCodes, code: string, message: string, details?: unknown) {
    super(message);
    this.exit = exitCodes[exit];
    this.code = code;
    this.details = details;
  }
}

export const usage = (message: string): CliError => new CliError('usage', 'USAGE', message);
export const interrupted = (): CliError => new CliError('interrupted', 'INTERRUPTED', 'Interrupted.');

export type Problem = { exit: ExitCode; code: string; message: string; details?: unknown; requestId?: string };

/** What any thrown thing means to the caller of the command. */
export function problemOf(error: unknown): Problem {
  if (error instanceof CliError) return { exit: error.exit, code: error.code, message: error.message, ...detailsOf(error.details) };
  if (error instanceof NexusError) {
    const { code, message, requestId } = error;
    return { exit: exitOf(error.status), code, message, ...detailsOf(error.details), ...(requestId ? { requestId } : {}) };
  }
  if (error instanceof NexusUnreachable) {
    // What the runtime adds differs between Bun and Node, and helps nobody in the sentence.
    const said = error.message.replace(/^(No answer from \S+): .*$/s, '$1.');
    const message = `${said} Is it running? \`nexus up\` starts a server here.`;
    return { exit: exitCodes.unreachable, code: 'UNREACHABLE', message, details: { cause: error.message } };
  }
  const text = error instanceof Error ? error.message : String(error);
  return { exit: exitCodes.failure, code: 'FAILURE', message: text };
}

const detailsOf = (details: unknown): { details?: unknown } => (details === undefined ? {} : { details });

function exitOf(status: number): ExitCode {
  switch (status) {
    case 400:
      return exitCodes.usage;
    case 401:
    case 403:
      return exitCodes.auth;
    case 404:
      return exitCodes.notFound;
    case 409:
    case 410:
    case 412:
      return exitCodes.conflict;
    case 503:
      return exitCodes.unreachable;
    default:
      return exitCodes.failure;
  }
}
