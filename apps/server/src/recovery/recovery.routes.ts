import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { Recovery } from './recovery.ts';

export function recoveryRoutes(route: Router, { recovery }: { recovery: Recovery }): void {
  route(api.removeMember, ({ actor, params }) => recovery.expel(actor, params['engineerId'] ?? ''));
  route(api.leaveProject, ({ actor }) => recovery.expel(actor, actor.engineer.id));
  route(api.endSession, ({ actor, params, body }) => recovery.end(actor, params['sessionId'] ?? '', body));
}
