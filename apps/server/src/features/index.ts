export { createFeatures, type Features } from './features.ts';
export { featureById, featureBySlug, type FeatureRow, moveOn, openFeatures, setPlaces, view } from './features.store.ts';
export { findCycle } from './cycle.ts';
export { brief } from './refusals.ts';
export { createEndings } from './endings.ts';
export { createPick, type Pick } from './pick.ts';
export { featuresRoutes } from './features.routes.ts';
