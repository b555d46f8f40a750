import type { Context, Hono } from 'hono';
import type { z } from 'zod';
import type { Role, Route, RouteOutput } from '@nexus/contract';
import type { Actor, Caller, Principal, SessionActor } from './actor.ts';
import { AppError, notFound, unavailable } from './errors.ts';
import { idempotencyOf, ifMatchOf, parse, readJson, readText } from './http-input.ts';
import { type Asked, dressed, json, type Observe } from './http-observer.ts';
import { requireBinding, requireScope } from './scopes.ts';

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
  app: Hono;
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

export type Router = ReturnType<typeof createRouter>;
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

    async function answer(c: Context, asked: Asked): Promise<Response> {
      if (!needs.ready()) throw unavailable('The server is starting, or stopping, and');
      const { ip, headers } = asked;
      const principal = definition.open ? undefined : await needs.authenticate(c.req.header('authorization') ?? null, ip);
      Object.assign(headers, await needs.limit(definition, principal?.keyId, ip));
      if (principal) {
        asked.keyId = principal.keyId;
        requireScope(principal, definition);
      }
      const params = c.req.param() as Record<string, string>;
      // No name has a NUL, and PostgreSQL takes none.
      if (Object.values(params).some((value) => value.includes('\u0000'))) throw notFound();
      const text = definition.body ? await readText(c, definition.bodyBytes ?? needs.maxBodyBytes) : '';

      const caller: Caller | undefined = principal && { ...principal, idempotency: idempotencyOf(c, definition, text) };
      const found = caller && definition.role && (await inProject(caller, params['projectId'] ?? '', definition, c, asked.requestId));
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
      if (result instanceof Response) return dressed(result, headers);
      if (result instanceof Answer) {
        const { data, message, status } = result;
        return json(message === undefined ? { data } : { data, message }, status, { ...headers, ...result.headers });
      }
      return json({ data: result }, definition.status ?? 200, headers);
    }
  }

  async function inProject(caller: Caller, projectId: string, definition: Route, c: Context, requestId: string): Promise<Actor> {
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
      requestId,
    };
  }

  async function inSession(actor: Actor, { session }: Route): Promise<Actor> {
    if (session === 'needed') return needs.actingSession(actor);
    return session === 'optional' ? { ...actor, session: await needs.readingSession(actor) } : actor;
  }

  return route;
}
