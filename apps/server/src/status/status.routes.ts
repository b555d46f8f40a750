import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { Status } from './status.ts';

export function statusRoutes(
  route: Router,
  { status, meta }: { status: Status; meta: { version: string; engines: { database: string; leases: string; bus: string } } },
): void {
  route(api.status, ({ actor }) => status.ofProject(actor.projectId));
  route(api.meta, async () => ({ name: 'nexus' as const, ...meta }));
}
