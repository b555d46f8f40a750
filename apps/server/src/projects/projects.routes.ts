import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { Projects } from './projects.ts';

export function projectsRoutes(route: Router, { projects }: { projects: Projects }): void {
  route(api.createProject, ({ actor, body }) => projects.create(actor, body));
  route(api.listProjects, ({ actor }) => projects.list(actor));
  route(api.getProject, ({ actor }) => projects.get(actor.projectId));
  route(api.updateProject, ({ actor, body }) => projects.update(actor, body));
  route(api.setMemberRole, ({ actor, params, body }) => projects.setRole(actor, params['engineerId'] ?? '', body.role));
  route(api.addMember, ({ actor, body }) => projects.add(actor, body));
}
