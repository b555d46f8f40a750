import { z } from 'zod';
import { Line, PageQuery, Timestamp } from './common.ts';

/** What a key may do, at most: its engineer's role in the project is a ceiling as well. */
export const scopes = ['read', 'claim', 'write', 'manage'] as const;
export const Scope = z.enum(scopes).meta({
  description:
    'read: look; claim: open sessions, pick, hold, finish; write: features and what is written about them; manage: people, keys, projects, force.',
});
export type Scope = z.infer<typeof Scope>;

export const keyKinds = ['engineer', 'agent', 'service'] as const;
export type KeyKind = (typeof keyKinds)[number];

const DAY = 24;
/** Where none is asked for. An agent's key is made for a day's work; nobody forgets a key for years. */
export const defaultKeyHours: Record<KeyKind, number> = { engineer: 90 * DAY, agent: DAY, service: 90 * DAY };
export const defaultScopes: Record<KeyKind, Scope[]> = { engineer: [...scopes], agent: ['read', 'claim', 'write'], service: ['read'] };

export const CreateKeyBody = z
  .strictObject({
    name: Line(120),
    kind: z.enum(keyKinds).default('engineer'),
    /** Default: by its kind. At most what the calling key has. */
    scopes: z.array(Scope).min(1).max(scopes.length).optional(),
    /** It works in this project alone. An agent's key needs one. */
    projectId: z.string().max(64).optional(),
    /** Null: never. Default: 90 days, an agent's 24 hours. */
    expiresInHours: z.number().int().min(1).max(87_600).nullish(),
  })
  .refine(({ kind, projectId }) => kind !== 'agent' || projectId !== undefined, {
    message: 'The key of an agent is bound to one project: name it.',
    path: ['projectId'],
  })
  .refine((body) => body.kind !== 'agent' || !body.scopes?.includes('manage'), {
    message: 'The key of an agent manages nothing: leave that scope out.',
    path: ['scopes'],
  });
export type CreateKeyBody = z.output<typeof CreateKeyBody>;

export const Key = z
  .object({
    id: z.string(),
    /** How it begins, which is no secret: logs name keys by it. */
    prefix: z.string(),
    name: z.string(),
    kind: z.enum(keyKinds),
    scopes: z.array(Scope),
    projectId: z.string().nullable(),
    createdAt: Timestamp,
    expiresAt: Timestamp.nullable(),
    /** Within a minute; null: never yet. */
    lastUsedAt: Timestamp.nullable(),
    revokedAt: Timestamp.nullable(),
    /** It was rotated: the secret before the newest is good until then. */
    oldSecretUntil: Timestamp.nullable(),
  })
  .meta({ id: 'Key' });
export type Key = z.infer<typeof Key>;

export const NewKey = Key.extend({
  /** Shown this once. */
  apiKey: z.string(),
}).meta({ id: 'NewKey' });
export type NewKey = z.infer<typeof NewKey>;

export const ListKeysQuery = PageQuery.extend({
  /** With `true` also those that are revoked or expired. */
  over: z.enum(['true', 'false']).default('false'),
});
export const RotateKeyBody = z
  .strictObject({
    /** How long the secret so far stays good beside the new one. 0: no longer. */
    overlapHours: z.number().int().min(0).max(720).default(24),
  })
  .prefault({});
