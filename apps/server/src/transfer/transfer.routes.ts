import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { Transfer } from './transfer.ts';

export function transferRoutes(route: Router, { transfer }: { transfer: Transfer }): void {
  route(api.exportProject, ({ actor }) => transfer.leave(actor.projectId));
  route(api.importProject, ({ actor, body }) => transfer.arrive(actor, body));
}
