import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { Auth } from './auth.ts';

export function authRoutes(route: Router, { auth }: { auth: Auth }): void {
  route(api.register, ({ body }) => auth.register(body));
  route(api.me, async ({ actor }) => actor.engineer);
  route(api.createInvitation, ({ actor, body }) => auth.invite(actor, body));
  route(api.acceptInvitation, ({ actor, body }) => auth.accept(actor, body.code));
}
