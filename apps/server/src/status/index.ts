export { createHealth } from './health.ts';
export { createStatus } from './status.ts';
export { statusRoutes } from './status.routes.ts';
