export { createAllocations } from './allocations.ts';
export { allocationsRoutes } from './allocations.routes.ts';
