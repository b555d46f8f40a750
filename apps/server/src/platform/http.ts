import { createHash } from 'node:crypto';
import type { Context, Hono } from 'hono';
import type { z } from 'zod';
import type { ErrorBody, ErrorCode, Role, Route, RouteOutput } from '@nexus/contract';
import type { Actor, Caller, Idempotency, Principal, SessionActor } from './actor.ts';
import { AppError, isDatabaseAway, notFound, unavailable } from './errors.ts';
import { requireBinding, requireScope } from './scopes.ts';
import type { Log } from './log.ts';

/** What a handler gets: the caller as far as the route asks for one, and parsed input. */
export type Call<R extends Route> = {
  params: Record<string, string>;
  body: R extends { body: infer B extends z.ZodType } ? z.output<B> : undefined;
  query: R extends { query: infer Q extends z.ZodType } ? z.output<Q> : undefined;
  actor: R extends { role: string }
    ? R extends { session: 'needed' }
      ? SessionActor
      : Actor
    : R extends { open: true }
      ? undefined
      : Caller;
  ifMatch: number | undefined;
  raw: Request;
};

/** An answer with another status or headers than the route's own, or a whole Response where the answer is a stream. */
export class Answer<T> {
  readonly data: T;
  readonly status: 200 | 201;
  readonly headers: Record<string, string>;
  readonly message: string | undefined;
  constructor(
    data: T,
    { status = 200, headers = {}, message }: { status?: 200 | 201; headers?: Record<string, string>; message?: string } = {},
  ) {
    this.data = data;
    this.status = status;
    this.headers = headers;
    this.message = message;
  }
}

export type RouterNeeds = {
  app: Hono<HttpEnv>;
  observe: Observe;
  maxBodyBytes: number;
  authenticate: (header: string | null, ip: () => string) => Promise<Principal>;
  /** The caller's role in a project; undefined when it is foreign or does not exist. */
  membership: (engineerId: string, projectId: string) => Promise<Role | undefined>;
  resolveSession: (principal: Principal, projectId: string, name: string) => Promise<Actor['session']>;
  actingSession: (actor: Actor) => Promise<SessionActor>;
  /** For routes that read as a session: the one named, else the key's default one if it has one. Makes none. */
  readingSession: (actor: Actor) => Promise<Actor['session']>;
  /** Runs after a write of a session: it lives. */
  renew: (actor: Actor) => void;
  limit: (route: Route, keyId: string | undefined, ip: () => string) => Promise<Record<string, string>>;
  ready: () => boolean;
};

export type HttpEnv = {
  Variables: { requestId: string; ip: () => string; route: string; headers: Record<string, string>; keyId?: string };
};
export type Router = ReturnType<typeof createRouter>;
type Handler = (c: Context<HttpEnv>) => Promise<Response> | Response;
type Observe = ReturnType<typeof createObserver>;

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

const rank: Record<Role, number> = { readonly: 0, member: 1, lead: 2 };

/** Registers routes of the contract: authenticate, limit, parse, act, answer. */
export function createRouter(needs: RouterNeeds) {
  const { app, observe } = needs;

  function route<const R extends Route>(
    definition: R,
    handler: (call: Call<R>) => Promise<RouteOutput<R> | Answer<RouteOutput<R>> | Response>,
  ): void {
    const path = `/api${definition.path}`;
    const method = definition.method.toUpperCase();
    app.on(method, path, observe(path, answer));

    async function answer(c: Context<HttpEnv>): Promise<Response> {
      if (!needs.ready()) throw unavailable('The server is starting, or stopping, and');
      const ip = c.get('ip');
      const principal = definition.open ? undefined : await needs.authenticate(c.req.header('authorization') ?? null, ip);
      const headers = Object.assign(c.get('headers'), await needs.limit(definition, principal?.keyId, ip));
      if (principal) {
        c.set('keyId', principal.keyId);
        requireScope(principal, definition);
      }
      const params = c.req.param() as Record<string, string>;
      // No name has a NUL, and PostgreSQL takes none.
      if (Object.values(params).some((value) => value.includes('\u0000'))) throw notFound();
      const text = definition.body ? await readText(c, definition.bodyBytes ?? needs.maxBodyBytes) : '';

      const caller: Caller | undefined = principal && { ...principal, idempotency: idempotencyOf(c, definition, text) };
      const found = caller && definition.role && (await inProject(caller, params['projectId'] ?? '', definition, c));
      // After the caller's rights, for who may not call a route learns nothing of what it takes; before a session is made.
      const body = definition.body && parse(definition.body, readJson(text), 'body');
      const query = definition.query && parse(definition.query, c.req.query(), 'query');
      const actor = found ? await inSession(found, definition) : caller;
      // The table's types and this function's are the same thing seen from two sides; here they meet.
      const call = {
        params,
        body,
        query,
        actor,
        ifMatch: definition.method === 'patch' ? ifMatchOf(c) : undefined,
        raw: c.req.raw,
      } as Call<R>;
      const result = await handler(call);
      if (definition.method !== 'get' && definition.role && definition.rate !== 'check') needs.renew(actor as Actor);
      if (result instanceof Response) {
        for (const [name, value] of Object.entries(headers)) result.headers.set(name, value);
        return result;
      }
      if (result instanceof Answer) {
        const { data, message, status } = result;
        return json(message === undefined ? { data } : { data, message }, status, { ...headers, ...result.headers });
      }
      return json({ data: result }, definition.status ?? 200, headers);
    }
  }

  async function inProject(caller: Caller, projectId: string, definition: Route, c: Context<HttpEnv>): Promise<Actor> {
    requireBinding(caller, projectId);
    const role = await needs.membership(caller.engineer.id, projectId);
    if (!role) throw notFound();
    const ceiling = caller.engineer.role === 'readonly' ? 'readonly' : role;
    if (definition.role && rank[ceiling] < rank[definition.role]) {
      throw new AppError('INSUFFICIENT_ROLE', `This needs the role ${definition.role}; you are ${ceiling} in this project. Ask a lead.`, {
        details: { role: ceiling, needed: definition.role },
      });
    }
    const name = definition.session ? c.req.header('x-nexus-session') : undefined;
    return {
      ...caller,
      projectId,
      role: ceiling,
      session: name ? await needs.resolveSession(caller, projectId, name) : undefined,
      requestId: c.get('requestId'),
    };
  }

  async function inSession(actor: Actor, { session }: Route): Promise<Actor> {
    if (session === 'needed') return needs.actingSession(actor);
    return session === 'optional' ? { ...actor, session: await needs.readingSession(actor) } : actor;
  }

  return route;
}

const json = (body: object, status: number, headers: Record<string, string>) =>
  new Response(JSON.stringify(body), { status, headers: { ...headers, 'content-type': 'application/json' } });

async function readText(c: Context<HttpEnv>, maxBytes: number): Promise<string> {
  const tooLarge = () => new AppError('PAYLOAD_TOO_LARGE', `A request body has at most ${Math.floor(maxBytes / 1024)} KB.`);
  if (Number(c.req.header('content-length') ?? 0) > maxBytes) throw tooLarge();
  const text = await c.req.text();
  if (Buffer.byteLength(text) > maxBytes) throw tooLarge();
  return text;
}

function readJson(text: string): unknown {
  requireShallow(text);
  try {
    return text.trim() === '' ? undefined : JSON.parse(text);
  } catch {
    throw new AppError('VALIDATION_ERROR', 'The body is not valid JSON.', { details: { field: 'body' } });
  }
}

/** What recursion would have to follow later is refused now. */
function requireShallow(text: string) {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (inString) {
      if (char === '\\') at += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') {
      depth += 1;
      if (depth > 32)
        throw new AppError('VALIDATION_ERROR', 'The body is nested too deep: at most 32 levels.', { details: { field: 'body' } });
    } else if (char === '}' || char === ']') depth -= 1;
  }
}

/** 400 that names the field. */
function parse(schema: z.ZodType, value: unknown, where: 'body' | 'query'): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 10).map((issue) => {
    const keys = 'keys' in issue && Array.isArray(issue.keys) ? issue.keys : [];
    return { field: [...issue.path, ...keys].join('.') || where, message: issue.message };
  });
  const [first] = issues;
  throw new AppError('VALIDATION_ERROR', `${first?.field}: ${first?.message}`, { details: { field: first?.field, issues } });
}

function idempotencyOf(c: Context, { method }: Route, text: string): Idempotency | undefined {
  const key = c.req.header('idempotency-key');
  if (key === undefined || method !== 'post') return undefined;
  if (!/^[\x21-\x7e]{1,128}$/.test(key))
    throw new AppError('VALIDATION_ERROR', 'Idempotency-Key: use 1 to 128 visible ASCII characters.', {
      details: { field: 'Idempotency-Key' },
    });
  const fingerprint = createHash('sha256')
    .update([method, c.req.path, c.req.header('x-nexus-session') ?? '', text].join('\n'))
    .digest('base64url');
  return { key, fingerprint };
}

function ifMatchOf(c: Context): number | undefined {
  const header = c.req.header('if-match');
  if (header === undefined || header === '*') return undefined;
  const version = /^(?:W\/)?"?(\d{1,9})"?$/.exec(header)?.[1];
  if (!version)
    throw new AppError('VALIDATION_ERROR', 'If-Match: give the ETag of the feature as you read it.', { details: { field: 'If-Match' } });
  return Number(version);
}

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
