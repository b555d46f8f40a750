export { createTransfer } from './transfer.ts';
export { transferRoutes } from './transfer.routes.ts';
