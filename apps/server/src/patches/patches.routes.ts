import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { Patches } from './patches.ts';

export function patchesRoutes(route: Router, { patches }: { patches: Patches }): void {
  route(api.offerPatch, ({ actor, body }) => patches.offer(actor, body));
  route(api.listPatches, ({ actor, query }) => patches.list(actor, query));
  route(api.getPatch, ({ actor, params }) => patches.get(actor.projectId, params['patchId'] ?? ''));
  route(api.patchApplied, ({ actor, params, body }) => patches.applied(actor, params['patchId'] ?? '', body));
  route(api.rejectPatch, ({ actor, params, body }) => patches.reject(actor, params['patchId'] ?? '', body));
  route(api.withdrawPatch, ({ actor, params }) => patches.withdraw(actor, params['patchId'] ?? ''));
}
