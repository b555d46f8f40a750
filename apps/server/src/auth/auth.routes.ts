import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { Auth } from './auth.ts';
import type { Invitations } from './invitations.ts';
import type { Keys } from './keys.ts';

export function authRoutes(route: Router, { auth, keys, invitations }: { auth: Auth; keys: Keys; invitations: Invitations }): void {
  route(api.register, ({ body }) => auth.register(body));
  route(api.me, async ({ actor }) => ({ ...actor.engineer, key: await keys.current(actor) }));
  route(api.listKeys, ({ actor, query }) => keys.list(actor, query));
  route(api.createKey, ({ actor, body }) => keys.create(actor, body));
  route(api.rotateKey, ({ actor, params, body }) => keys.rotate(actor, params['keyId'] ?? '', body.overlapHours));
  route(api.revokeKey, ({ actor, params }) => keys.revoke(actor, params['keyId'] ?? ''));
  route(api.createInvitation, ({ actor, body }) => invitations.create(actor, body));
  route(api.listInvitations, ({ actor, query }) => invitations.list(actor.projectId, query));
  route(api.revokeInvitation, ({ actor, params }) => invitations.revoke(actor, params['invitationId'] ?? ''));
  route(api.acceptInvitation, ({ actor, body }) => invitations.accept(actor, body.code));
}
