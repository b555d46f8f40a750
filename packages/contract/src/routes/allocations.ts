import { Allocated, AllocateBody, Allocation, AllocationsQuery } from '../allocations.ts';
import { page } from '../common.ts';
import { P, held, route } from './route.ts';

export const allocationsRoutes = {
  allocate: route({
    method: 'post',
    path: `${P}/allocations`,
    summary: 'A free port, held like a path until it is given back; or the next number of a counter, given once and for good',
    body: AllocateBody,
    response: Allocated,
    status: 201,
    again: true,
    errors: [...held, 'RANGE_EXHAUSTED'],
    rate: 'claim',
    scope: 'claim',
    role: 'member',
    session: 'needed',
  }),
  listAllocations: route({
    method: 'get',
    path: `${P}/allocations`,
    summary: 'Who got which port or number, newest first',
    query: AllocationsQuery,
    response: page(Allocation),
    errors: [],
    rate: 'read',
    scope: 'read',
    role: 'readonly',
  }),
} as const;
