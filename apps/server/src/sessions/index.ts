export { createCheckpoints, summary } from './checkpoints.ts';
export { latestCheckpoints } from './checkpoints.store.ts';
export { createSessions, requireLive, SessionOver, type Sessions } from './sessions.ts';
export { closeSessions, liveFamily, liveSessions, projectsAlive, sessionById, type SessionRow } from './sessions.store.ts';
export { sessionsRoutes } from './sessions.routes.ts';
