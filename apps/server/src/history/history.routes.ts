import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { History } from './history.ts';

export function historyRoutes(route: Router, { history }: { history: History }): void {
  route(api.why, ({ actor, query }) => history.why(actor.projectId, query.path));
  route(api.history, ({ actor, query }) => history.list(actor.projectId, query));
  route(api.stats, ({ actor, query }) => history.stats(actor.projectId, query.since));
}
