export { createPace, type Pace } from './pace.ts';
export { createRequests, type Requests, withdraw } from './requests.ts';
export { requestsRoutes } from './requests.routes.ts';
