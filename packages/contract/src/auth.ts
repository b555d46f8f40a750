import { z } from 'zod';
import { Line, Role, Timestamp } from './common.ts';
import { Key } from './keys.ts';

export const Email = z
  .email()
  .max(254)
  .transform((email) => email.toLowerCase());

export const RegisterBody = z.strictObject({
  name: Line(120),
  email: Email,
  /** A code from `nexus project invite`; the new engineer joins that project. */
  invite: z.string().max(128).optional(),
  /** Printed by the server at its first start when it listens beyond loopback. */
  setupCode: z.string().max(128).optional(),
});
export const Registered = z
  .object({
    engineer: z.object({ id: z.string(), name: z.string(), email: z.string() }),
    /** Shown this once. */
    apiKey: z.string(),
    projectId: z.string().nullable(),
  })
  .meta({ id: 'Registered' });

export const Me = z
  .object({
    id: z.string(),
    name: z.string(),
    email: z.string(),
    role: z.enum(['admin', 'engineer', 'readonly']),
    /** The one that this call was made with. */
    key: Key,
  })
  .meta({ id: 'Me' });

export const InviteBody = z.strictObject({
  role: Role.default('member'),
  /** Only this address may use it. */
  email: Email.optional(),
  expiresInHours: z.number().int().min(1).max(720).default(168),
});
export const Invitation = z
  .object({
    id: z.string(),
    projectId: z.string(),
    role: Role,
    email: z.string().nullable(),
    expiresAt: Timestamp,
    /** Shown this once. */
    code: z.string(),
  })
  .meta({ id: 'Invitation' });
/** One that can still be used. Its code was shown when it was made. */
export const InvitationEntry = Invitation.omit({ code: true })
  .extend({ createdBy: z.object({ engineerId: z.string(), name: z.string() }), createdAt: Timestamp })
  .meta({ id: 'InvitationEntry' });
export type InvitationEntry = z.infer<typeof InvitationEntry>;
export const AcceptInvitationBody = z.strictObject({ code: z.string().max(128) });
