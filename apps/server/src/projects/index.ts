export { createProjects } from './projects.ts';
export type { Rules } from './projects.store.ts';
export { projectsRoutes } from './projects.routes.ts';
