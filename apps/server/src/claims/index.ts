export { type Checks, createChecks } from './checks.ts';
export { type Claims, createClaims, isResource } from './claims.ts';
export { createIndexFollower, type IndexFollower } from './follow.ts';
export { endAll, endKnown, excessOf, extend, grant, hasRoom, requireFew, requireFree, shrink } from './holds.ts';
export { finishedOn, forgetFinished, rememberFinished } from './finished.store.ts';
export {
  claimsOf,
  claimsOfFeature,
  type Hold,
  lastHoldOf,
  lastHoldsOfSession,
  obstacles,
  obstaclesAmong,
  openHolds,
  parkedLongerThan,
  parkHolds,
  pathsHeldBy,
} from './holds.store.ts';
export { holderOf, InTheWay, toConflict } from './obstruction.ts';
export { aheadOf, collide, endWait, endWaitsOf, type Queued, queueOf, requireTurn, settleWaits, wantedBy, WaitOver } from './queue.ts';
export { claimable, formatTouches, parseTouches } from './touches.ts';
export { insertWait, overdueWaits, projectsWaiting, waitById, type WaitRow } from './waits.store.ts';
export { declaredSince, rememberWritten, writtenBy } from './written.store.ts';
export { claimsRoutes } from './claims.routes.ts';
