export { withdraw } from './answers.ts';
export { createPace, type Pace } from './pace.ts';
export { createRequests, type Requests } from './requests.ts';
export { requestsRoutes } from './requests.routes.ts';
