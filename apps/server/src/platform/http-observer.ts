import type { Context } from 'hono';
import type { ErrorBody, ErrorCode } from '@nexus/contract';
import { AppError, isDatabaseAway, unavailable } from './errors.ts';
import type { Log } from './log.ts';

/** What is known of a request from its first moment; `headers` go on its answer, whatever answers it. */
export type Asked = { requestId: string; route: string; ip: () => string; headers: Record<string, string>; keyId: string | undefined };
export type Handler = (c: Context, asked: Asked) => Promise<Response> | Response;
export type Observe = ReturnType<typeof createObserver>;

/** On every answer. */
const safety = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'",
};
/** Copied as a whole into each answer, which takes 0.7 µs; from an object of the same five headers it takes 1.4. */
const jsonHeaders = new Headers({ ...safety, 'content-type': 'application/json' });

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
  clientIp: (c: Context) => string;
  answered: (method: string, route: string, status: number, seconds: number) => void;
  refused: (code: ErrorCode) => void;
}) {
  return (route: string, handler: Handler) =>
    async (c: Context): Promise<Response> => {
      const start = performance.now();
      const given = c.req.header('x-request-id');
      const requestId = given && /^[A-Za-z0-9._-]{8,64}$/.test(given) ? given : Bun.randomUUIDv7();
      const asked: Asked = { requestId, route, ip: () => clientIp(c), headers: { 'x-request-id': requestId }, keyId: undefined };
      let response: Response;
      try {
        response = await handler(c, asked);
      } catch (error) {
        if (error instanceof AppError) refused(error.code);
        response = answerError(error, c, asked, log);
      }
      answered(c.req.method, route, response.status, (performance.now() - start) / 1000);
      return response;
    };
}

/** A page or a file: an answer that no route of the contract describes. */
export const page =
  (handler: Handler): Handler =>
  async (c, asked) => {
    const response = await handler(c, asked);
    for (const [name, value] of Object.entries({ ...safety, ...asked.headers }))
      if (!response.headers.has(name)) response.headers.set(name, value);
    return response;
  };

export function json(body: object, status: number, headers: Record<string, string>): Response {
  const response = new Response(JSON.stringify(body), { status, headers: jsonHeaders });
  return withHeaders(response, headers);
}

/** An answer that brings its own body and type, as a stream does. */
export const dressed = (response: Response, headers: Record<string, string>): Response => withHeaders(response, { ...safety, ...headers });

function withHeaders(response: Response, headers: Record<string, string>): Response {
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

/** Somebody wanted what is not theirs: worth a line for whoever looks into it later. */
const denials = new Set<ErrorCode>(['INVALID_API_KEY', 'FORBIDDEN', 'INSUFFICIENT_ROLE']);

/** One body for every error, and a log line for those that are ours. */
function answerError(error: unknown, c: Context, { requestId, route, ip, headers: given, keyId }: Asked, log: Log): Response {
  const refusal = error instanceof AppError ? error : isDatabaseAway(error) ? unavailable('The database', error) : undefined;
  if (!refusal) log.error({ err: error, requestId, route }, 'a bug: the request failed');
  else if (refusal.code === 'SERVICE_UNAVAILABLE') log.warn({ err: refusal.cause, requestId }, refusal.message);
  else if (denials.has(refusal.code)) log.warn({ code: refusal.code, route, ip: ip(), key: keyId, requestId }, 'refused');
  const known = refusal ?? new AppError('INTERNAL_ERROR', 'This is a bug of ours. Nothing was half done; report it with the request id.');
  const body: ErrorBody = {
    error: { code: known.code, message: known.message, ...(known.details === undefined ? {} : { details: known.details }), requestId },
  };
  const headers = { ...given, ...known.headers };
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
  return json(problem, known.status, { ...headers, 'content-type': 'application/problem+json' });
}
