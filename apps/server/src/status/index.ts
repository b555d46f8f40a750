export { createHealth, type Health } from './health.ts';
export { createStatus, type Status } from './status.ts';
export { statusRoutes } from './status.routes.ts';
