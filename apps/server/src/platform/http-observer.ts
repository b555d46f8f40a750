import type { Context } from 'hono';
import type { ErrorBody, ErrorCode } from '@nexus/contract';
import { AppError, isDatabaseAway, unavailable } from './errors.ts';
import type { Log } from './log.ts';

export type HttpEnv = {
  Variables: { requestId: string; ip: () => string; route: string; headers: Record<string, string>; keyId?: string };
};
export type Handler = (c: Context<HttpEnv>) => Promise<Response> | Response;
export type Observe = ReturnType<typeof createObserver>;

/** On every answer. */
const safety = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'",
};

/**
 * What every request gets, whatever answers it: an id, a body for its error, a place in the metrics. Around each handler
 * and not a middleware: Hono calls a lone handler directly, which a heartbeat notices.
 */
export function createObserver({
  log,
  clientIp,
  answered,
  refused,
}: {
  log: Log;
  clientIp: (c: Context<HttpEnv>) => string;
  answered: (method: string, route: string, status: number, seconds: number) => void;
  refused: (code: ErrorCode) => void;
}) {
  return (route: string, handler: Handler) =>
    async (c: Context<HttpEnv>): Promise<Response> => {
      const start = performance.now();
      const given = c.req.header('x-request-id');
      c.set('requestId', given && /^[A-Za-z0-9._-]{8,64}$/.test(given) ? given : Bun.randomUUIDv7());
      c.set('headers', { ...safety, 'x-request-id': c.get('requestId') });
      c.set('ip', () => clientIp(c));
      c.set('route', route);
      let response: Response;
      try {
        response = await handler(c);
      } catch (error) {
        if (error instanceof AppError) refused(error.code);
        response = answerError(error, c, log);
      }
      answered(c.req.method, route, response.status, (performance.now() - start) / 1000);
      return response;
    };
}

/** A page or a file: an answer that no route of the contract describes. */
export const page =
  (handler: Handler): Handler =>
  async (c) => {
    const response = await handler(c);
    for (const [name, value] of Object.entries(c.get('headers'))) if (!response.headers.has(name)) response.headers.set(name, value);
    return response;
  };

export const json = (body: object, status: number, headers: Record<string, string>) =>
  new Response(JSON.stringify(body), { status, headers: { ...headers, 'content-type': 'application/json' } });

/** Somebody wanted what is not theirs: worth a line for whoever looks into it later. */
const denials = new Set<ErrorCode>(['INVALID_API_KEY', 'FORBIDDEN', 'INSUFFICIENT_ROLE']);

/** One body for every error, and a log line for those that are ours. */
function answerError(error: unknown, c: Context<HttpEnv>, log: Log): Response {
  const refusal = error instanceof AppError ? error : isDatabaseAway(error) ? unavailable('The database', error) : undefined;
  const requestId = c.get('requestId');
  if (!refusal) log.error({ err: error, requestId, route: c.get('route') }, 'a bug: the request failed');
  else if (refusal.code === 'SERVICE_UNAVAILABLE') log.warn({ err: refusal.cause, requestId }, refusal.message);
  else if (denials.has(refusal.code))
    log.warn({ code: refusal.code, route: c.get('route'), ip: c.get('ip')(), key: c.get('keyId'), requestId }, 'refused');
  const known = refusal ?? new AppError('INTERNAL_ERROR', 'This is a bug of ours. Nothing was half done; report it with the request id.');
  const body: ErrorBody = {
    error: { code: known.code, message: known.message, ...(known.details === undefined ? {} : { details: known.details }), requestId },
  };
  const headers = { ...c.get('headers'), ...known.headers };
  if (!c.req.header('accept')?.includes('application/problem+json')) return json(body, known.status, headers);
  const problem = {
    type: `urn:nexus:error:${known.code.toLowerCase().replaceAll('_', '-')}`,
    title: known.code,
    status: known.status,
    detail: known.message,
    instance: c.req.path,
    code: known.code,
    requestId,
    details: known.details,
  };
  return new Response(JSON.stringify(problem), {
    status: known.status,
    headers: { ...headers, 'content-type': 'application/problem+json' },
  });
}
