import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { Messages } from './messages.ts';

export function messagesRoutes(route: Router, { messages }: { messages: Messages }): void {
  route(api.sendMessage, ({ actor, body }) => messages.send(actor, body));
  route(api.listMessages, ({ actor, query }) => messages.list(actor, query));
  route(api.acknowledgeMessage, ({ actor, params, body }) => messages.ack(actor, params['messageId'] ?? '', body.session));
}
