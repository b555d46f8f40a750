export { createPace, type Pace } from './pace.ts';
export { createRequests, withdraw } from './requests.ts';
export { requestsRoutes } from './requests.routes.ts';
