export { createRoadmap } from './roadmap.ts';
export { roadmapRoutes } from './roadmap.routes.ts';
