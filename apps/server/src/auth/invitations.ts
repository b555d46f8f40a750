import type { InvitationEntry, InviteBody, PageQuery, Role } from '@nexus/contract';
import type { z } from 'zod';
import type { Database, Queryable } from '../engines/database/database.ts';
import type { Change, Ledger } from '../ledger/index.ts';
import type { Actor, Caller } from '../platform/actor.ts';
import { AppError, notFound } from '../platform/errors.ts';
import { isUuid } from '../platform/ids.ts';
import { pageOf, positionOf } from '../platform/page.ts';
import { requireUnbound } from '../platform/scopes.ts';
import { digestOf, makeKey, newKeyId, newSecret, parseKey, sameDigest, secretFor } from './api-key.ts';
import {
  insertInvitation,
  invitationById,
  invitationsOf,
  type InvitationRow,
  openInvitation,
  revokeInvitation,
  useInvitation,
} from './invitations.store.ts';

export type Invitations = ReturnType<typeof createInvitations>;

type Needs = {
  database: Database;
  ledger: Ledger;
  salt: string;
  /** Puts somebody into the project whose ledger this is; who is in keeps a higher role. */
  join: (tx: Queryable, at: Change, engineer: { id: string; name: string }, role: Role) => Promise<void>;
  /** After that commit. */
  joined: (projectId: string, engineerId: string) => void;
};

/** Single-use codes, each for one project and role. */
export function createInvitations({ database, ledger, salt, join, joined }: Needs) {
  async function create(actor: Actor, body: z.output<typeof InviteBody>) {
    const { idempotency, engineer, projectId } = actor;
    // The code is in no table; a retry's is made again.
    const secret = idempotency ? secretFor(salt, [engineer.id, idempotency.key, idempotency.fingerprint].join('\n')) : newSecret();
    const [id, keyId, email] = [Bun.randomUUIDv7(), newKeyId(), body.email ?? null];
    const made = await ledger.change(actor, 'invite', async (tx, at) => {
      const row = { id, projectId, keyId, hash: digestOf(makeKey('nxi', keyId, secret)), role: body.role, email, createdBy: engineer.id };
      const expiresAt = await insertInvitation(tx, { ...row, hours: body.expiresInHours });
      at.emit({ type: 'invitation_created', data: { invitationId: id, role: body.role } });
      return { id, projectId, role: body.role, email, expiresAt, keyId };
    });
    const { keyId: ofCode, ...invitation } = made;
    return { ...invitation, code: makeKey('nxi', ofCode, secret) };
  }

  /** Those that can still be used, newest first. */
  async function list(projectId: string, { cursor, limit }: z.output<typeof PageQuery>) {
    const found = await invitationsOf(database.db, projectId, { after: positionOf(cursor), limit: limit + 1 });
    return pageOf(found, limit, ({ createdAt, id }) => ({ at: createdAt, id }));
  }

  /** Once more is the same; one that was used is refused, for its user is in. */
  async function revoke(actor: Actor, id: string): Promise<InvitationEntry> {
    return ledger.change(actor, 'invite', async (tx, at) => {
      const before = isUuid(id) ? await invitationById(tx, actor.projectId, id) : undefined;
      if (!before) throw notFound();
      if (before.used)
        throw new AppError(
          'INVALID_STATUS_TRANSITION',
          'This invitation was used. Remove the member instead: nexus project remove-member.',
        );
      if (!before.revoked) {
        await revokeInvitation(tx, id);
        at.emit({ type: 'invitation_revoked', data: { invitationId: id } });
      }
      return before.entry;
    });
  }

  /** Whoever accepted one may do so again: that is a retry. */
  async function usable(code: string, { email, id }: { email: string; id?: string }): Promise<InvitationRow> {
    const parsed = parseKey(code);
    const found = parsed?.prefix === 'nxi' ? await openInvitation(database.db, parsed.keyId, id) : undefined;
    if (!found || !sameDigest(found.hash, digestOf(code)) || (found.email !== null && found.email !== email)) throw refusal(false);
    return found;
  }

  /** Uses one up and lets its user in, in one commit with `before`. */
  async function use(
    { id, projectId, role }: InvitationRow,
    engineer: { id: string; name: string },
    before?: (tx: Queryable) => Promise<void>,
  ): Promise<void> {
    await ledger.change({ projectId, system: true }, 'join', async (tx, at) => {
      await before?.(tx);
      if (!(await useInvitation(tx, id, engineer.id))) throw refusal(false);
      await join(tx, at, engineer, role);
    });
    joined(projectId, engineer.id);
  }

  async function accept(caller: Caller, code: string) {
    requireUnbound(caller);
    const found = await usable(code, caller.engineer);
    await use(found, caller.engineer);
    return { projectId: found.projectId, engineerId: caller.engineer.id, role: found.role };
  }

  return { create, list, revoke, usable, use, accept };
}

export const refusal = (setup: boolean) =>
  new AppError(
    'FORBIDDEN',
    setup
      ? 'The first engineer registers with the setup code that the server printed at its start (nexus login --register --setup-code …).'
      : 'Registration was refused. Ask a lead of your project for an invitation (nexus project invite), or log in with your key.',
  );
