import { api, ErrorBody, type ErrorCode, errorStatus, type Route } from '@nexus/contract';

const routes = (Object.entries(api) as Array<[keyof typeof api, Route]>)
  .map(([name, route]) => ({
    name,
    route,
    // Fixed words before parameters: `features/available` is not the feature `available`.
    order: route.path.split(':').length,
    pattern: new RegExp(`^/api${route.path.replace(/:\w+/g, '[^/]+')}$`),
  }))
  .sort((a, b) => a.order - b.order);

export const routeOf = (method: string, pathname: string) =>
  routes.find(({ route, pattern }) => route.method === method.toLowerCase() && pattern.test(pathname));

/** Every route may answer these. */
const everywhere: ErrorCode[] = [
  'UNAUTHORIZED',
  'INVALID_API_KEY',
  'RATE_LIMITED',
  'SERVICE_UNAVAILABLE',
  'NOT_FOUND',
  'FORBIDDEN',
  'INSUFFICIENT_ROLE',
  'VALIDATION_ERROR',
  'PAYLOAD_TOO_LARGE',
  'IDEMPOTENCY_KEY_REUSED',
];
const isPathError = (code: ErrorCode) => code.startsWith('PATH_');

/** A fetch that throws when an answer is not what the contract says: more, less, or an error that the route does not list. */
export function checkedFetch(seen?: (name: keyof typeof api, status: number) => void): (request: Request) => Promise<Response> {
  return async (request) => {
    const response = await fetch(request);
    const { pathname } = new URL(request.url);
    const found = routeOf(request.method, pathname);
    if (!found || response.headers.get('content-type')?.includes('text/event-stream')) return response;
    seen?.(found.name, response.status);
    const mistake = mistakeIn(found.route, response.status, await response.clone().json());
    if (mistake) throw new Error(`${request.method} ${pathname} broke its contract: ${mistake}`);
    return response;
  };
}

function mistakeIn(route: Route, status: number, answer: unknown): string | undefined {
  if (status >= 400) {
    const { error } = ErrorBody.parse(answer);
    if (errorStatus[error.code] !== status) return `${error.code} came as ${status}`;
    const listed = [...route.errors, ...everywhere].includes(error.code) || isPathError(error.code);
    return listed ? undefined : `${error.code} is not among its errors`;
  }
  const { data } = answer as { data: unknown };
  const parsed = route.response.safeParse(data);
  if (!parsed.success) return parsed.error.message;
  // What the schema does not know is left out of what it parses.
  return Bun.deepEquals(parsed.data, data) ? undefined : `it has fields that the schema lacks: ${JSON.stringify(data)}`;
}
