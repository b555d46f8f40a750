import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { Claims } from './claims.ts';

export function claimsRoutes(route: Router, { claims }: { claims: Claims }): void {
  route(api.listClaims, ({ actor }) => claims.list(actor.projectId));
  route(api.myClaims, async ({ actor }) => (actor.session ? claims.list(actor.projectId, { sessions: [actor.session.id] }) : []));
  route(api.refreshClaims, ({ actor, body }) => claims.refresh(actor, body.paths));
  route(api.checkClaims, ({ actor, body }) => claims.check(actor, body));
  route(api.verifyClaims, ({ actor, body }) => claims.verify(actor, body));
  route(api.claim, ({ actor, body }) => claims.claim(actor, body));
  route(api.releaseClaims, ({ actor, body }) => claims.release(actor, body));
}
