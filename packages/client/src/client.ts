import { api, type Api, ErrorBody, type ErrorCode, type Route, type RouteInput, type RouteName, type RouteOutput } from '@nexus/contract';

/** An error answer of the server: `code` is stable, `message` says what to do next. */
export class NexusError extends Error {
  override name = 'NexusError';
  readonly status: number;
  readonly code: ErrorCode;
  readonly details: unknown;
  readonly requestId: string;
  constructor(status: number, body: ErrorBody['error']) {
    super(body.message);
    this.status = status;
    this.code = body.code;
    this.details = body.details;
    this.requestId = body.requestId;
  }
}

/** No answer from the server, or one that is not Nexus'. Whether a change took place is unknown; the same call may be repeated. */
export class NexusUnreachable extends Error {
  override name = 'NexusUnreachable';
}

export type ClientOptions = {
  /** Where the server is, without `/api`. */
  server: string;
  apiKey?: string | undefined;
  /** The acting session: its id, or `<agent>:<agent's session id>`. */
  session?: string | undefined;
  fetch?: (request: Request) => Response | Promise<Response>;
  /** How often a call without an answer (or with 503) is repeated. POSTs carry an idempotency key, so none takes place twice. */
  retries?: number;
  /** Milliseconds for one attempt. */
  timeout?: number;
  userAgent?: string;
};

export type CallOptions = { idempotencyKey?: string; ifMatch?: string | number; session?: string | undefined; signal?: AbortSignal };
type Needed<T> = Record<never, never> extends T ? [input?: T, options?: CallOptions] : [input: T, options?: CallOptions];
export type Client = {
  [Name in RouteName]: (...args: Needed<RouteInput<Api[Name]>>) => Promise<RouteOutput<Api[Name]>>;
} & { with: (changes: Partial<ClientOptions>) => Client; options: ClientOptions };

/** One method for each route of the contract: `client.pickFeature({ projectId, slug })`. Throws NexusError or NexusUnreachable. */
export function createClient(options: ClientOptions): Client {
  const methods = Object.fromEntries(
    Object.entries(api).map(([name, route]) => [
      name,
      (input?: object, call?: CallOptions) => request(options, route, { ...input }, call ?? {}),
    ]),
  );
  return Object.assign(methods, {
    options,
    with: (changes: Partial<ClientOptions>) => createClient({ ...options, ...changes }),
  }) as unknown as Client;
}

async function request(options: ClientOptions, route: Route, input: Record<string, unknown>, call: CallOptions): Promise<unknown> {
  const idempotencyKey = call.idempotencyKey ?? (route.method === 'post' ? crypto.randomUUID() : undefined);
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await attemptOnce(options, route, input, { ...call, ...(idempotencyKey ? { idempotencyKey } : {}) });
    } catch (error) {
      const again = error instanceof NexusUnreachable || (error instanceof NexusError && error.status === 503);
      if (!again || attempt >= (options.retries ?? 2) || call.signal?.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.min(2000, 100 * 2 ** attempt) * (0.5 + Math.random() / 2)));
    }
  }
}

async function attemptOnce(options: ClientOptions, route: Route, input: Record<string, unknown>, call: CallOptions): Promise<unknown> {
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(input[name])));
  const url = new URL(`/api${path}`, options.server);
  for (const [key, value] of Object.entries((input['query'] ?? {}) as object)) {
    if (value !== undefined) url.searchParams.set(key, String(value));
  }
  const headers = new Headers({ accept: 'application/json' });
  if (options.userAgent) headers.set('user-agent', options.userAgent);
  if (options.apiKey) headers.set('authorization', `Bearer ${options.apiKey}`);
  const session = 'session' in call ? call.session : options.session;
  if (session) headers.set('x-nexus-session', session);
  if (call.idempotencyKey) headers.set('idempotency-key', call.idempotencyKey);
  if (call.ifMatch !== undefined) headers.set('if-match', `"${call.ifMatch}"`);
  const body = input['body'] === undefined ? null : JSON.stringify(input['body']);
  if (body !== null) headers.set('content-type', 'application/json');

  const timeout = AbortSignal.timeout(options.timeout ?? 15_000);
  const signal = call.signal ? AbortSignal.any([timeout, call.signal]) : timeout;
  let response: Response;
  let answer: unknown;
  try {
    response = await (options.fetch ?? fetch)(new Request(url, { method: route.method.toUpperCase(), headers, body, signal }));
    answer = await response.json();
  } catch (error) {
    if (call.signal?.aborted) throw error;
    throw new NexusUnreachable(`No answer from ${options.server}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  if (response.ok) return (answer as { data: unknown }).data;
  const parsed = ErrorBody.safeParse(answer);
  if (!parsed.success) throw new NexusUnreachable(`${options.server} answered ${response.status}, but not as a Nexus server does.`);
  throw new NexusError(response.status, parsed.data.error);
}
