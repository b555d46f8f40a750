import { api } from '@nexus/contract';
import { Answer, type Router } from '../platform/http.ts';
import type { Sessions } from './sessions.ts';

export function sessionsRoutes(route: Router, { sessions }: { sessions: Sessions }): void {
  route(api.openSession, async ({ actor, body }) => {
    const { session, created } = await sessions.open(actor, body);
    return new Answer(session, { status: created ? 201 : 200 });
  });
  route(api.activeSessions, ({ actor }) => sessions.active(actor.projectId));
  route(api.heartbeat, ({ actor, params }) => sessions.heartbeat(actor, params['sessionId'] ?? ''));
  route(api.heartbeats, ({ actor, body }) => sessions.heartbeats(actor, body.sessions, body.activity));
}
