import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { Checks } from './checks.ts';
import type { Claims } from './claims.ts';

export function claimsRoutes(route: Router, { claims, checks }: { claims: Claims; checks: Checks }): void {
  route(api.listClaims, ({ actor }) => checks.list(actor.projectId));
  route(api.myClaims, async ({ actor }) => (actor.session ? checks.list(actor.projectId, { sessions: [actor.session.id] }) : []));
  route(api.refreshClaims, ({ actor, body }) => checks.refresh(actor, body.paths));
  route(api.checkClaims, ({ actor, body }) => checks.check(actor, body));
  route(api.verifyClaims, ({ actor, body }) => checks.verify(actor, body));
  route(api.claim, ({ actor, body }) => claims.claim(actor, body));
  route(api.releaseClaims, ({ actor, body }) => claims.release(actor, body));
}
