export { createDrain, type Drain } from './drain.ts';
export { createWaiting, type Waiting } from './waiting.ts';
export { waitingRoutes } from './waiting.routes.ts';
