import { AppError } from '../platform/errors.ts';

const PROTOCOL = 'nexus.v1';
const TICKET = 'nexus.ticket.';

/** What a browser offers as subprotocols. `answer` is the one to echo, never the ticket. */
export function offered(header: string | null): { ticket: string | undefined; answer: string | undefined } {
  const names = (header ?? '').split(',').map((name) => name.trim());
  const ticket = names.find((name) => name.startsWith(TICKET));
  return {
    ticket: ticket && Buffer.from(ticket.slice(TICKET.length), 'base64url').toString(),
    answer: names.includes(PROTOCOL) ? PROTOCOL : undefined,
  };
}

/** Browsers send `Origin` and let any page open a socket anywhere: so another page than ours must be on the list. */
export function checkOrigin(request: Request, allowedOrigins: readonly string[]): void {
  const origin = request.headers.get('origin');
  if (origin === null || allowedOrigins.includes(origin)) return;
  // The host alone: behind a proxy that ends TLS the scheme differs.
  if (URL.canParse(origin) && new URL(origin).host === (request.headers.get('host') ?? new URL(request.url).host)) return;
  throw new AppError('FORBIDDEN', 'This page may not connect here. Add its origin to ALLOWED_ORIGINS.');
}

/** An error answer instead of the upgrade. */
export function refusal(error: AppError): Response {
  const requestId = crypto.randomUUID();
  return Response.json(
    { error: { code: error.code, message: error.message, requestId } },
    { status: error.status, headers: { ...error.headers, 'x-request-id': requestId } },
  );
}
