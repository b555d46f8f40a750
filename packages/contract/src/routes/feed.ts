import { EventsPage, EventsQuery, WsTicket, WsTicketBody } from '../feed.ts';
import { ProjectStatus } from '../status.ts';
import { P, route } from './route.ts';

export const feedRoutes = {
  status: route({
    method: 'get',
    path: `${P}/status`,
    summary: 'Active features, held paths, live sessions, and who waits',
    response: ProjectStatus,
    errors: [],
    rate: 'read',
    scope: 'read',
    role: 'readonly',
  }),
  events: route({
    method: 'get',
    path: `${P}/events`,
    summary: 'Events after a cursor; with `Accept: text/event-stream` a live stream that resumes by Last-Event-ID',
    query: EventsQuery,
    response: EventsPage,
    errors: [],
    rate: 'read',
    scope: 'read',
    role: 'readonly',
  }),
  wsTicket: route({
    method: 'post',
    path: '/ws-tickets',
    summary: 'A single-use ticket for a browser’s WebSocket',
    body: WsTicketBody,
    response: WsTicket,
    status: 201,
    errors: [],
    rate: 'read',
    scope: 'read',
  }),
} as const;
