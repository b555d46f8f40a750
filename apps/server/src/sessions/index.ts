export { createCheckpoints, summary } from './checkpoints.ts';
export { latestCheckpoints } from './checkpoints.store.ts';
export { requireLive, SessionOver } from './live.ts';
export { createSessions, type Sessions } from './sessions.ts';
export { closeSessions, liveFamily, liveSessions, projectsAlive, sessionById, type SessionRow } from './sessions.store.ts';
export { sessionsRoutes } from './sessions.routes.ts';
