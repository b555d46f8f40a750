export { createCourier } from './courier.ts';
export { createPatches, type Patches } from './patches.ts';
export { patchesRoutes } from './patches.routes.ts';
