import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { Waiting } from './waiting.ts';

export function waitingRoutes(route: Router, { waiting }: { waiting: Waiting }): void {
  const idOf = (params: Record<string, string>) => params['waitId'] ?? '';
  route(api.joinQueue, ({ actor, body }) => waiting.join(actor, body));
  route(api.listWaits, ({ actor }) => waiting.list(actor.projectId));
  route(api.getWait, ({ actor, params }) => waiting.get(actor.projectId, idOf(params)));
  route(api.leaveQueue, ({ actor, params }) => waiting.leave(actor, idOf(params)));
}
