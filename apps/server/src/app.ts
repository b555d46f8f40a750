import { readFileSync } from 'node:fs';
import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import { api, type Route } from '@nexus/contract';
import { allocationsRoutes } from './allocations/index.ts';
import { authRoutes } from './auth/index.ts';
import { claimsRoutes } from './claims/index.ts';
import type { Deps } from './deps.ts';
import { featuresRoutes } from './features/index.ts';
import { eventsStream, resumeFrom } from './feed/index.ts';
import { historyRoutes } from './history/index.ts';
import { knowledgeRoutes } from './knowledge/index.ts';
import { messagesRoutes } from './messages/index.ts';
import { openApiDocument } from './openapi.ts';
import { AppError, notFound } from './platform/errors.ts';
import { clientIp } from './platform/client-ip.ts';
import { createRouter } from './platform/http.ts';
import { HotFirst } from './platform/http-matching.ts';
import { createObserver, page } from './platform/http-observer.ts';
import { requireBinding } from './platform/scopes.ts';
import { patchesRoutes } from './patches/index.ts';
import { projectsRoutes } from './projects/index.ts';
import { recoveryRoutes } from './recovery/index.ts';
import { requestsRoutes } from './requests/index.ts';
import { roadmapRoutes } from './roadmap/index.ts';
import { searchRoutes } from './search/index.ts';
import { sessionsRoutes } from './sessions/index.ts';
import { statusRoutes } from './status/index.ts';
import { waitingRoutes } from './waiting/index.ts';
import { transferRoutes } from './transfer/index.ts';

export type AppOptions = {
  deps: Deps;
  /** The peer's address, and what a quiet stream needs; absent where requests come from a test. */
  connection?: (request: Request) => { ip: () => string; keepOpen: () => void };
  /** Ends every open stream. */
  closing: AbortSignal;
};

const DOCS_CSP =
  "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'";

/** What agents call at every edit, and keepers every few seconds for each of them. */
const hot = new Set(
  (Object.values(api) as Route[])
    .filter(({ rate }) => rate === 'check' || rate === 'beat')
    .map(({ method, path }) => `${method.toUpperCase()} /api${path}`),
);
const isHot = (method: string, path: string) => hot.has(`${method} ${path}`);

/** The HTTP API. Takes what it needs; opens nothing. */
export function createApp({ deps, connection, closing }: AppOptions): Hono {
  const {
    config,
    log,
    auth,
    bus,
    keys,
    invitations,
    projects,
    sessions,
    checkpoints,
    claims,
    checks,
    features,
    pick,
    endings,
    recovery,
    roadmap,
    waiting,
    requests,
    patches,
    history,
    messages,
    status,
    health,
    feed,
    tickets,
    limits,
    metrics,
    version,
    engines,
  } = deps;
  const app = new Hono({ router: new HotFirst(isHot) });

  const observe = createObserver({
    log,
    clientIp: (c) => clientIp(connection?.(c.req.raw).ip() ?? '127.0.0.1', c.req.header('x-forwarded-for'), config.trustedProxies),
    answered: metrics.answered,
    refused: (code) => metrics.errors.inc({ code }),
  });
  if (config.allowedOrigins.length > 0)
    app.use(
      cors({ origin: config.allowedOrigins, exposeHeaders: ['ratelimit', 'ratelimit-policy', 'retry-after', 'etag', 'x-request-id'] }),
    );

  app.notFound(
    observe('other', () => {
      throw new AppError('NOT_FOUND', 'There is no such route. /api/docs lists them all.');
    }),
  );

  const route = createRouter({
    app,
    observe,
    maxBodyBytes: config.limits.bodyBytes,
    authenticate: async (header, ip) => {
      try {
        return await auth.authenticate(header, () => limits.refuseAfterFailures(ip()));
      } catch (error) {
        if (error instanceof AppError && error.code === 'INVALID_API_KEY') await limits.failed(ip());
        throw error;
      }
    },
    membership: projects.membership,
    resolveSession: sessions.resolve,
    actingSession: sessions.acting,
    readingSession: sessions.reading,
    renew: sessions.renew,
    limit: limits.take,
    // Heartbeats of agents that work are answered until the very end.
    ready: () => health.phase() === 'serving',
  });
  authRoutes(route, { auth, keys, invitations });
  projectsRoutes(route, { projects });
  sessionsRoutes(route, { sessions, checkpoints });
  recoveryRoutes(route, { recovery });
  featuresRoutes(route, { features, pick, endings, checks });
  messagesRoutes(route, { messages });
  patchesRoutes(route, { patches });
  claimsRoutes(route, { claims, checks });
  allocationsRoutes(route, deps);
  roadmapRoutes(route, { roadmap });
  knowledgeRoutes(route, deps);
  searchRoutes(route, deps);
  waitingRoutes(route, { waiting });
  transferRoutes(route, deps);
  requestsRoutes(route, { requests });
  historyRoutes(route, { history });
  statusRoutes(route, { status, meta: { version, engines } });

  route(api.events, async ({ actor, query, raw }) => {
    const after = resumeFrom(raw.headers.get('last-event-id'), query.after);
    if (!raw.headers.get('accept')?.includes('text/event-stream')) return feed.page(actor.projectId, after, query.limit);
    connection?.(raw).keepOpen();
    const { engineer, keyId, projectId } = actor;
    const allowed = async () => (await projects.membership(engineer.id, projectId)) !== undefined && (await auth.keyIsValid(actor));
    const concerns = [`key ${keyId}`, `member ${projectId} ${engineer.id}`];
    const doubted = (look: () => void) => bus.subscribe('auth', (message) => concerns.includes(message) && look());
    return eventsStream({ feed, projectId, after, signal: AbortSignal.any([raw.signal, closing]), allowed, doubted });
  });
  route(api.wsTicket, async ({ actor, body }) => {
    const projectId = body.projectId ?? actor.boundTo ?? undefined;
    if (projectId !== undefined) requireBinding(actor, projectId);
    if (projectId !== undefined && !(await projects.membership(actor.engineer.id, projectId))) throw notFound();
    return tickets.issue(actor, projectId);
  });

  const get: Get = (path, handler) => app.get(path, observe(path, page(handler)));
  healthRoutes(get, deps);
  docsRoutes(get, version);
  return app;
}

type Get = (path: string, handler: (c: Context) => Response | Promise<Response>) => void;

function healthRoutes(get: Get, { health, metrics, config, status, sockets, embedder }: Deps) {
  const live = (path: string) => get(path, (c) => c.json({ status: 'ok' }));
  live('/health');
  live('/api/health/live');
  const ready = (path: string, always: boolean) =>
    get(path, async (c) => {
      const state = await health.check();
      return c.json(state.body, state.ready || always ? 200 : 503);
    });
  ready('/api/health', true);
  ready('/api/health/ready', false);

  get('/api/metrics', async (c) => {
    if (config.metricsToken ? c.req.header('authorization') !== `Bearer ${config.metricsToken}` : !config.loopback) {
      throw new AppError('UNAUTHORIZED', 'Beyond loopback, metrics need the bearer token that METRICS_TOKEN sets.');
    }
    try {
      const totals = await status.totals();
      if (embedder) metrics.unread.set(await embedder.unread());
      metrics.claims.set(totals.claims);
      metrics.sessions.set(totals.sessions);
      for (const row of totals.features) metrics.features.set({ status: row.status }, row.count);
    } catch {
      // The database is away; what is counted here is still worth reading.
    }
    metrics.sockets.set(sockets());
    return c.body(await metrics.registry.metrics(), 200, { 'content-type': metrics.registry.contentType });
  });
}

function docsRoutes(get: Get, version: string) {
  let document: object | undefined;
  get('/api/openapi.json', (c) => c.json((document ??= openApiDocument(version))));
  get('/api/docs', (c) => {
    c.header('content-security-policy', DOCS_CSP);
    return c.html(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Nexus API</title><link rel="stylesheet" href="/api/docs/swagger-ui.css"></head>
<body><div id="ui"></div><script src="/api/docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({ url: '/api/openapi.json', dom_id: '#ui', deepLinking: true, validatorUrl: null });</script></body></html>`);
  });
  const assets = new Map([
    ['swagger-ui.css', 'text/css'],
    ['swagger-ui-bundle.js', 'text/javascript'],
  ]);
  get('/api/docs/:asset', (c) => {
    const name = c.req.param('asset') ?? '';
    const type = assets.get(name);
    if (!type) throw notFound();
    return c.body(readFileSync(Bun.resolveSync(`swagger-ui-dist/${name}`, import.meta.dir)), 200, {
      'content-type': type,
      'cache-control': 'public, max-age=86400',
    });
  });
}
