import { api } from '@nexus/contract';
import { Answer, type Router } from '../platform/http.ts';
import type { Checkpoints } from './checkpoints.ts';
import type { Sessions } from './sessions.ts';

export function sessionsRoutes(route: Router, { sessions, checkpoints }: { sessions: Sessions; checkpoints: Checkpoints }): void {
  route(api.openSession, async ({ actor, body }) => {
    const { session, created } = await sessions.open(actor, body);
    return new Answer(session, { status: created ? 201 : 200 });
  });
  route(api.activeSessions, ({ actor }) => sessions.active(actor.projectId));
  route(api.heartbeat, ({ actor, params }) => sessions.heartbeat(actor, params['sessionId'] ?? ''));
  route(api.heartbeats, ({ actor, body }) => sessions.heartbeats(actor, body.sessions, body.activity, body.dirty));
  route(api.saveCheckpoint, async ({ actor, body }) => {
    const saved = await checkpoints.save(actor, body);
    if (saved) return saved;
    return new Answer(null, { message: 'Duplicate of the last checkpoint: nothing has changed since, so nothing was kept.' });
  });
  route(api.latestCheckpoint, ({ actor, query }) => checkpoints.latest(actor.projectId, query.featureId));
}
