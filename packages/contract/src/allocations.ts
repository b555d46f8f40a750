import { z } from 'zod';
import { PageQuery, Timestamp } from './common.ts';

export const allocationKinds = ['port', 'number'] as const;
const AllocationKind = z.enum(allocationKinds);

/** As a part of a resource's name; without case. */
const Name = z
  .string()
  .regex(
    /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/,
    'Use up to 64 letters, digits, dots, dashes or underscores; begin and end with a letter or digit.',
  )
  .transform((name) => name.toLowerCase());
const Port = z.number().int().min(1).max(65_535);
/** Where allocations begin, unless the caller says so: below are the system's, above the ephemeral ones. */
export const defaultPorts = { from: 3000, to: 3999 } as const;

const PortBody = z.strictObject({
  kind: z.literal('port'),
  /** The same session gets the same port under the same name. */
  name: Name.default('default'),
  from: Port.default(defaultPorts.from),
  to: Port.default(defaultPorts.to),
  /** In use on the machine, by what asks nobody: not these. The name's earlier port is given back when it is one of them. */
  exclude: z.array(Port).max(1000).default([]),
  /** Whose ports: others have theirs. Default: the machine that the session was opened on; without one, all of them. */
  machine: Name.optional(),
  /** One for all machines. */
  shared: z.boolean().default(false),
});
const NumberBody = z.strictObject({
  kind: z.literal('number'),
  /** Of the counter, such as `migrations`. */
  name: Name,
  /** At least this one: where the repository has numbers that nobody allocated. Default: 1. */
  startAt: z.number().int().min(0).max(1e15).optional(),
});
export const AllocateBody = z
  .discriminatedUnion('kind', [PortBody, NumberBody])
  .refine((body) => body.kind !== 'port' || body.from <= body.to, { message: 'A range begins before it ends.', path: ['to'] });

export const Allocation = z
  .object({
    id: z.string(),
    kind: AllocationKind,
    name: z.string(),
    number: z.number().int(),
    /** The claim that a port is held by. Numbers are given for good and need none. */
    resource: z.string().nullable(),
    sessionId: z.string(),
    engineerId: z.string(),
    engineerName: z.string(),
    agent: z.string(),
    fence: z.number().int().nullable(),
    at: Timestamp,
    /** A port is `held` by the session's hold, or `free` again; a number is `given`. */
    state: z.enum(['held', 'free', 'given']),
  })
  .meta({ id: 'Allocation' });
export type Allocation = z.infer<typeof Allocation>;

export const Allocated = Allocation.extend({
  /** False: the session had this port under this name already. */
  fresh: z.boolean(),
}).meta({ id: 'Allocated' });
export type Allocated = z.infer<typeof Allocated>;

export const AllocationsQuery = PageQuery.extend({
  kind: AllocationKind.optional(),
  name: Name.optional(),
  state: Allocation.shape.state.optional(),
});
