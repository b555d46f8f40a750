import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Bus } from '../engines/bus/bus.ts';
import type { Principal } from '../platform/actor.ts';

export type TicketHolder = { engineerId: string; keyId: string; secret: number; projectId: string | undefined };
export type Tickets = ReturnType<typeof createTickets>;

const LIFE_SECONDS = 30;
const PREFIX = 'nxt_';

/**
 * A browser cannot send a header with its WebSocket, and a key in a URL ends up in logs: it trades its key for a ticket.
 * Signed, so that every replica that shares `secret` can redeem it without a table.
 */
export function createTickets({ secret, now = Date.now, bus }: { secret: string; now?: () => number; bus?: Bus }) {
  // Single use within a process, and elsewhere once the bus has told it: until then, milliseconds or never if the bus is
  // away, a stolen ticket opens one socket at each other replica, and only within its 30 seconds.
  const used = new Map<string, number>();
  const key = createHmac('sha256', secret).update('nexus.ws-ticket').digest();
  const sign = (body: string) => createHmac('sha256', key).update(body).digest();

  bus?.subscribe('auth', (message) => {
    const [what, nonce] = message.split(' ');
    if (what === 'ticket' && nonce) markUsed(nonce);
  });

  function markUsed(nonce: string) {
    for (const [old, until] of used) {
      if (until > now()) break;
      used.delete(old);
    }
    used.set(nonce, now() + LIFE_SECONDS * 1000);
  }

  return {
    /** With `projectId` it opens that project's feed only. */
    issue({ engineer, keyId, secret: shown }: Principal, projectId?: string) {
      const content = [engineer.id, keyId, shown, now() + LIFE_SECONDS * 1000, randomBytes(12).toString('base64url'), projectId ?? null];
      const body = Buffer.from(JSON.stringify(content)).toString('base64url');
      return { ticket: `${PREFIX}${body}.${sign(body).toString('base64url')}`, expiresInSeconds: LIFE_SECONDS };
    },
    /** Undefined for a ticket that is forged, too old or used. */
    redeem(ticket: string): TicketHolder | undefined {
      const [body = '', signature = ''] = ticket.startsWith(PREFIX) ? ticket.slice(PREFIX.length).split('.') : [];
      const given = Buffer.from(signature, 'base64url');
      const right = sign(body);
      if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
      const [engineerId, keyId, shown, until, nonce, projectId] = JSON.parse(Buffer.from(body, 'base64url').toString()) as SignedContent;
      if (until <= now() || used.has(nonce)) return undefined;
      markUsed(nonce);
      bus?.publish('auth', `ticket ${nonce}`);
      return { engineerId, keyId, secret: shown, projectId: projectId ?? undefined };
    },
  };
}

type SignedContent = [engineerId: string, keyId: string, secret: number, until: number, nonce: string, projectId: string | null];
