import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { Roadmaps } from './roadmap.ts';

export function roadmapRoutes(route: Router, { roadmap }: { roadmap: Roadmaps }): void {
  route(api.roadmap, ({ actor }) => roadmap.show(actor.projectId));
  route(api.reorderRoadmap, ({ actor, body }) => roadmap.reorder(actor, body));
  route(api.moveOnRoadmap, ({ actor, params, body }) => roadmap.move(actor, params['slug'] ?? '', body));
}
