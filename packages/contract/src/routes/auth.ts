import { AcceptInvitationBody, Me, RegisterBody, Registered } from '../auth.ts';
import { page } from '../common.ts';
import { CreateKeyBody, Key, ListKeysQuery, NewKey, RotateKeyBody } from '../keys.ts';
import { Membership } from '../projects.ts';
import { Meta } from '../status.ts';
import { route } from './route.ts';

export const authRoutes = {
  meta: route({
    method: 'get',
    path: '/meta',
    summary: 'Server version and engines',
    response: Meta,
    errors: [],
    rate: 'read',
    open: true,
  }),
  register: route({
    method: 'post',
    path: '/auth/register',
    summary: 'Register an engineer; answers the API key, this once',
    body: RegisterBody,
    response: Registered,
    status: 201,
    errors: ['ALREADY_EXISTS', 'FORBIDDEN'],
    rate: 'register',
    open: true,
  }),
  me: route({ method: 'get', path: '/auth/me', summary: 'Who the key belongs to', response: Me, errors: [], rate: 'read', scope: 'read' }),
  acceptInvitation: route({
    method: 'post',
    path: '/invitations/accept',
    summary: 'Join a project with a single-use code',
    body: AcceptInvitationBody,
    response: Membership,
    errors: ['FORBIDDEN'],
    rate: 'register',
    scope: 'manage',
  }),
  listKeys: route({
    method: 'get',
    path: '/keys',
    summary: 'The caller’s API keys, newest first',
    query: ListKeysQuery,
    response: page(Key),
    errors: [],
    rate: 'read',
    scope: 'manage',
  }),
  createKey: route({
    method: 'post',
    path: '/keys',
    summary: 'A further key of the caller, for a machine, an agent or a service; may do no more than the calling one',
    body: CreateKeyBody,
    response: NewKey,
    status: 201,
    errors: ['NOT_FOUND'],
    rate: 'write',
    scope: 'manage',
  }),
  rotateKey: route({
    method: 'post',
    path: '/keys/:keyId/rotate',
    summary: 'A new secret for a key; the one so far stays good for the overlap',
    body: RotateKeyBody,
    response: NewKey,
    errors: ['NOT_FOUND', 'INVALID_STATUS_TRANSITION'],
    rate: 'write',
    scope: 'manage',
  }),
  revokeKey: route({
    method: 'delete',
    path: '/keys/:keyId',
    summary: 'Ends a key and closes its sockets, everywhere within seconds',
    response: Key,
    errors: ['NOT_FOUND'],
    rate: 'write',
    scope: 'manage',
  }),
} as const;
