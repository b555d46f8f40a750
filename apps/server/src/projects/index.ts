export { createProjects, type Projects } from './projects.ts';
export type { Rules } from './projects.store.ts';
export { projectsRoutes } from './projects.routes.ts';
