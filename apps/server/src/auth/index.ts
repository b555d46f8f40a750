export { createAuth } from './auth.ts';
export { authRoutes } from './auth.routes.ts';
export { createHashing, type Hashing } from './hashing.ts';
export { createInvitations } from './invitations.ts';
export { revokeInvitationsOf } from './invitations.store.ts';
export { createKeys } from './keys.ts';
export { createUsage } from './usage.ts';
