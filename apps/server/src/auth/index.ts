export { createAuth } from './auth.ts';
export { authRoutes } from './auth.routes.ts';
