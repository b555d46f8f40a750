import { z } from 'zod';
import { createDocument, type ZodOpenApiPathsObject } from 'zod-openapi';
import { api, ErrorBody, errorStatus, type Route } from '@nexus/contract';

/** OpenAPI 3.1 of the contract's routes; nothing is written twice, so nothing can drift. */
export function openApiDocument(version: string) {
  const paths: ZodOpenApiPathsObject = {};
  for (const [name, route] of Object.entries(api) as Array<[string, Route]>) {
    const path = `/api${route.path.replace(/:(\w+)/g, '{$1}')}`;
    paths[path] = { ...paths[path], [route.method]: operation(name, route) };
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Nexus',
      version,
      description:
        'Coordinates coding agents on one codebase: pick a feature, and hold every path it touches. The live feed is the WebSocket `/ws`.',
    },
    components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', description: 'An API key, nxp_…' } } },
    paths,
  });
}

function operation(name: string, route: Route) {
  const params = [...route.path.matchAll(/:(\w+)/g)].map((match) => match[1] ?? '');
  const status = route.status ?? 200;
  const byStatus = Map.groupBy([...route.errors, ...common(route)], (code) => errorStatus[code]);
  return {
    operationId: name,
    summary: route.summary,
    ...(route.scope ? { description: `Scope of the key: ${route.scope}.` } : {}),
    tags: [route.path.split('/').filter((part) => part && !part.startsWith(':'))[route.role ? 1 : 0] ?? 'projects'],
    ...(route.open ? {} : { security: [{ apiKey: [] }] }),
    requestParams: {
      ...(params.length > 0 ? { path: z.object(Object.fromEntries(params.map((param) => [param, z.string()]))) } : {}),
      ...(route.query ? { query: route.query as z.ZodObject } : {}),
      ...(route.session || route.method === 'post' ? { header: headersOf(route) } : {}),
    },
    ...(route.body ? { requestBody: { content: { 'application/json': { schema: route.body } } } } : {}),
    responses: {
      ...Object.fromEntries((route.again ? [200, status] : [status]).map((code) => [`${code}`, answered(route)])),
      ...Object.fromEntries(
        [...byStatus].map(([code, names]) => [
          `${code}`,
          { description: [...new Set(names)].join(', '), content: { 'application/json': { schema: ErrorBody } } },
        ]),
      ),
    },
  };
}

const answered = ({ response }: Route) => ({
  description: 'OK',
  content: { 'application/json': { schema: z.object({ data: response }) } },
});

const headersOf = (route: Route) =>
  z.object({
    ...(route.session
      ? { 'X-Nexus-Session': z.string().optional().meta({ description: 'The acting session: its id, or <agent>:<agent’s session id>' }) }
      : {}),
    ...(route.method === 'post'
      ? { 'Idempotency-Key': z.string().optional().meta({ description: 'Same key, same answer, for 24 h' }) }
      : {}),
  });

const common = (route: Route) => [
  ...(route.body || route.query || route.method === 'post' ? (['VALIDATION_ERROR'] as const) : []),
  ...(route.body ? (['PAYLOAD_TOO_LARGE'] as const) : []),
  ...(route.method === 'post' && !route.open ? (['IDEMPOTENCY_KEY_REUSED'] as const) : []),
  ...(route.open ? [] : (['UNAUTHORIZED', 'INVALID_API_KEY', 'FORBIDDEN'] as const)),
  ...(route.role ? (['NOT_FOUND'] as const) : []),
  ...(route.role && route.role !== 'readonly' ? (['INSUFFICIENT_ROLE'] as const) : []),
  ...(['RATE_LIMITED', 'SERVICE_UNAVAILABLE'] as const),
];
