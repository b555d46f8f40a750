import type { z } from 'zod';
import type { ErrorCode } from '../errors.ts';
import type { Scope } from '../keys.ts';

/** Which rate limit a route counts against. `beat` is apart so that reads can never starve heartbeats. */
export type RateClass = 'read' | 'write' | 'claim' | 'check' | 'beat' | 'message' | 'register';

type RouteBase = {
  method: 'get' | 'post' | 'patch' | 'delete';
  /** Below `/api`; `:name` are the path's parameters. */
  path: string;
  summary: string;
  body?: z.ZodType;
  query?: z.ZodType;
  response: z.ZodType;
  status?: 200 | 201;
  /** Answers 200 where nothing new was made. */
  again?: true;
  errors: ErrorCode[];
  rate: RateClass;
  /** Where more than the server's usual limit is taken. */
  bodyBytes?: number;
  /** Needs no key. */
  open?: true;
  /** The least role a caller needs in the project. Absent: no project in the path. */
  role?: 'readonly' | 'member' | 'lead';
  /** Acts as a session. `needed`: made by default for a bare client; `optional`: used when named. */
  session?: 'needed' | 'optional';
};

/** Either needs no key, or says which scope a key needs for it: a route that says neither is none. */
export type Route = RouteBase & ({ open: true; scope?: never } | { scope: Scope; open?: never });

export const route = <const R extends Route>(definition: R): R => definition;

export const P = '/projects/:projectId';
export const F = `${P}/features/:slug` as const;
/** What a change of a hold may be refused for. */
export const held: ErrorCode[] = ['FILE_ALREADY_CLAIMED', 'QUEUED_AHEAD', 'TOO_MANY_GLOBS', 'FENCED', 'SESSION_LOST'];
/** What the end of a hold may be refused for. */
export const ofHolder: ErrorCode[] = ['INVALID_STATUS_TRANSITION', 'FENCED', 'SESSION_LOST'];
