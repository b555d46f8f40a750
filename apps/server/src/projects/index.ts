export { createProjects, type Projects } from './projects.ts';
export { projectsRoutes } from './projects.routes.ts';
