import { page } from '../common.ts';
import { AcknowledgeBody, ListMessagesQuery, Message, SendMessageBody } from '../messages.ts';
import { P, route } from './route.ts';

export const messagesRoutes = {
  sendMessage: route({
    method: 'post',
    path: `${P}/messages`,
    summary: 'Say something to a session, to whoever holds a feature or a path, or to the project; heard with the next heartbeat',
    body: SendMessageBody,
    response: Message,
    status: 201,
    errors: ['INVALID_STATUS_TRANSITION', 'SESSION_LOST'],
    rate: 'message',
    scope: 'claim',
    role: 'member',
    session: 'optional',
  }),
  listMessages: route({
    method: 'get',
    path: `${P}/messages`,
    summary: 'Messages to the caller, from the caller, or to the whole project; newest first',
    query: ListMessagesQuery,
    response: page(Message),
    errors: [],
    rate: 'read',
    scope: 'read',
    role: 'readonly',
  }),
  acknowledgeMessage: route({
    method: 'post',
    path: `${P}/messages/:messageId/ack`,
    summary: 'Say that a message was understood; its sender sees it',
    body: AcknowledgeBody,
    response: Message,
    errors: ['INVALID_STATUS_TRANSITION'],
    rate: 'write',
    scope: 'claim',
    role: 'readonly',
  }),
} as const;
