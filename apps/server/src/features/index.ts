export { createFeatures, type Features } from './features.ts';
export { featureById, moveOn } from './features.store.ts';
export { createLifecycle } from './lifecycle.ts';
export { featuresRoutes } from './features.routes.ts';
