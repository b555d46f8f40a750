export { createContention } from './contention.ts';
export { createHistory } from './history.ts';
export { historyRoutes } from './history.routes.ts';
