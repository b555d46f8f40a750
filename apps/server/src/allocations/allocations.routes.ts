import { api } from '@nexus/contract';
import { Answer, type Router } from '../platform/http.ts';
import type { Allocations } from './allocations.ts';

export function allocationsRoutes(route: Router, { allocations }: { allocations: Allocations }): void {
  route(api.allocate, async ({ actor, body }) => {
    const allocated = body.kind === 'port' ? await allocations.port(actor, body) : await allocations.number(actor, body);
    return new Answer(allocated, { status: allocated.fresh ? 201 : 200 });
  });
  route(api.listAllocations, ({ actor, query }) => allocations.list(actor.projectId, query));
}
