import type { z } from 'zod';
import { allocationsRoutes } from './routes/allocations.ts';
import { authRoutes } from './routes/auth.ts';
import { claimsRoutes } from './routes/claims.ts';
import { featuresRoutes } from './routes/features.ts';
import { feedRoutes } from './routes/feed.ts';
import { knowledgeRoutes } from './routes/knowledge.ts';
import { messagesRoutes } from './routes/messages.ts';
import { patchesRoutes } from './routes/patches.ts';
import { projectsRoutes } from './routes/projects.ts';
import { sessionsRoutes } from './routes/sessions.ts';
import { waitingRoutes } from './routes/waiting.ts';
import type { Route } from './routes/route.ts';

export type { RateClass, Route } from './routes/route.ts';

/** Every HTTP route, once: the server registers them, the client types them, OpenAPI describes them. */
export const api = {
  ...authRoutes,
  ...projectsRoutes,
  ...sessionsRoutes,
  ...messagesRoutes,
  ...featuresRoutes,
  ...claimsRoutes,
  ...allocationsRoutes,
  ...knowledgeRoutes,
  ...waitingRoutes,
  ...patchesRoutes,
  ...feedRoutes,
} as const satisfies Record<string, Route>;

export type Api = typeof api;
export type RouteName = keyof Api;

type ParamsOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamsOf<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;
type OptionalIfEmpty<Key extends string, T> = undefined extends T
  ? { [K in Key]?: T }
  : Record<never, never> extends T
    ? { [K in Key]?: T }
    : { [K in Key]: T };

/** What a call takes: the path's parameters, and `body` and `query` where the route has them. */
export type RouteInput<R extends Route> = { [K in ParamsOf<R['path']>]: string } & (R extends { body: infer B extends z.ZodType }
  ? OptionalIfEmpty<'body', z.input<B>>
  : unknown) &
  (R extends { query: infer Q extends z.ZodType } ? OptionalIfEmpty<'query', z.input<Q>> : unknown);
export type RouteOutput<R extends Route> = z.output<R['response']>;
