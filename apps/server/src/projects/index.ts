export { createProjects } from './projects.ts';
export { projectsRoutes } from './projects.routes.ts';
