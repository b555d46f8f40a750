export { createRecovery } from './recovery.ts';
export { createSweep } from './sweep.ts';
export { recoveryRoutes } from './recovery.routes.ts';
