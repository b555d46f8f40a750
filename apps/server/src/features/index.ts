export { createFeatures, type Features } from './features.ts';
export { featureById, moveOn } from './features.store.ts';
export { createEndings } from './endings.ts';
export { createPick } from './pick.ts';
export { featuresRoutes } from './features.routes.ts';
