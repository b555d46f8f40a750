import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { Requests } from './requests.ts';

export function requestsRoutes(route: Router, { requests }: { requests: Requests }): void {
  route(api.requestPaths, ({ actor, body }) => requests.ask(actor, body));
  route(api.listRequests, ({ actor }) => requests.list(actor.projectId));
  route(api.yieldPaths, ({ actor, body }) => requests.giveBack(actor, body));
  route(api.refuseRequests, ({ actor, body }) => requests.refuse(actor, body));
}
