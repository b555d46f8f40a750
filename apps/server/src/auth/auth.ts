import argon2 from 'argon2';
import { LRUCache } from 'lru-cache';
import type { z } from 'zod';
import type { InviteBody, RegisterBody, Role } from '@nexus/contract';
import type { Bus } from '../engines/bus/bus.ts';
import type { Database, Queryable } from '../engines/database/database.ts';
import type { Actor, Principal } from '../platform/actor.ts';
import { AppError, isDatabaseAway, unavailable, violatedConstraint } from '../platform/errors.ts';
import { within } from '../platform/within.ts';
import { digestOf, generateKey, macOf, parseKey, sameDigest } from './api-key.ts';
import { anyEngineer, insertEngineer, insertInvitation, insertKey, isFirst, keyById, openInvitation, useInvitation } from './auth.store.ts';
import { createGate } from './gate.ts';

export type Auth = ReturnType<typeof createAuth>;

type Needs = {
  database: Database;
  bus: Bus;
  salt: string;
  registration: 'open' | 'invite' | 'closed';
  /** Where registering the first engineer needs the code that the server printed. */
  setupCode: string | undefined;
  addMember: (tx: Queryable, projectId: string, engineerId: string, role: Role) => Promise<void>;
  onRevoked?: (keyId: string) => void;
};

/** OWASP's least for argon2id: 37 ms here. Paid at registration and at the first use of a key in a process. */
const argon = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const bearer = /^Bearer +(\S+) *$/i;
/** How long a revocation may go unseen where the bus did not carry it. */
const RECHECK_MS = 30_000;
const FAILURE_MS = 60_000;
/** How long a known key waits for a ledger that hangs: its heartbeats must be answered all the same. */
const PATIENCE_MS = 1000;

export function createAuth({ database, bus, salt, registration, setupCode, addMember, onRevoked }: Needs) {
  const verified = new LRUCache<string, { principal: Principal; checkedAt: number }>({ max: 10_000 });
  const refused = new LRUCache<string, true>({ max: 10_000, ttl: FAILURE_MS });
  /** argon2 takes a core and 19 MB: two at a time, and not an endless queue. */
  const gate = createGate({ running: 2, waiting: 64 });

  bus.subscribe('auth', (message) => {
    const [what, keyId] = message.split(' ');
    if (what !== 'key' || !keyId) return;
    for (const [mac, { principal }] of verified.entries()) if (principal.keyId === keyId) verified.delete(mac);
    onRevoked?.(keyId);
  });

  /**
   * Who a bearer key belongs to. A known key costs one HMAC; the ledger being away does not lock a known key out.
   * `admit` may refuse by throwing, before any work is done for a key that is not known here.
   */
  async function authenticate(header: string | null | undefined, admit?: () => Promise<void>): Promise<Principal> {
    const key = header && bearer.exec(header)?.[1];
    if (!key)
      throw new AppError('UNAUTHORIZED', 'Send your API key as "Authorization: Bearer nxp_…". `nexus login` gets and keeps one.', {
        headers: { 'www-authenticate': 'Bearer' },
      });
    const mac = macOf(salt, key);
    const hit = verified.get(mac);
    if (hit && Date.now() - hit.checkedAt < RECHECK_MS) return hit.principal;
    if (!hit) await admit?.();
    const parsed = parseKey(key);
    if (!parsed || parsed.kind === 'nxi') throw invalidKey();
    if (refused.has(mac)) throw invalidKey();
    try {
      const asked = keyById(database.db, parsed.keyId);
      const row = await (hit ? within(PATIENCE_MS, asked) : asked);
      const good = row && !row.revoked && (hit !== undefined || (await gate(() => argon2.verify(row.hash, key))));
      if (!good) {
        verified.delete(mac);
        refused.set(mac, true);
        throw invalidKey();
      }
      verified.set(mac, { principal: row.principal, checkedAt: Date.now() });
      return row.principal;
    } catch (error) {
      if (hit && isDatabaseAway(error)) return hit.principal;
      throw error;
    }
  }

  /** For whoever was let in earlier. An outage of ours throws nobody out. */
  async function keyIsValid(keyId: string): Promise<boolean> {
    try {
      const row = await keyById(database.db, keyId);
      return row !== undefined && !row.revoked;
    } catch (error) {
      if (isDatabaseAway(error)) return true;
      throw error;
    }
  }

  async function register(body: z.output<typeof RegisterBody>) {
    const first = !(await anyEngineer(database.db));
    if (registration === 'closed' && !first) throw refusal(false);
    const invitation = body.invite === undefined ? undefined : await usable(body.invite, { email: body.email });
    const allowed =
      invitation !== undefined ||
      (body.invite === undefined && (first ? setupCode === undefined || body.setupCode === setupCode : registration === 'open'));
    if (!allowed) throw refusal(first && setupCode !== undefined);
    const { key, keyId } = generateKey('nxp');
    const hash = await gate(() => argon2.hash(key, argon));
    const engineer = { id: Bun.randomUUIDv7(), name: body.name, email: body.email };
    try {
      await database.transaction(async (tx) => {
        const stillFirst = first && (await isFirst(tx));
        if (first && !stillFirst && registration !== 'open') throw refusal(false);
        await insertEngineer(tx, { ...engineer, role: stillFirst ? 'admin' : 'engineer' });
        await insertKey(tx, { keyId, engineerId: engineer.id, hash });
        if (!invitation) return;
        if (!(await useInvitation(tx, invitation.id, engineer.id))) throw refusal(false);
        await addMember(tx, invitation.projectId, engineer.id, invitation.role);
      });
    } catch (error) {
      if (!violatedConstraint(error)) throw error;
      // Where anyone may register, the caller must be told; elsewhere nobody learns which addresses are known.
      if (registration !== 'open') throw refusal(false);
      throw new AppError(
        'ALREADY_EXISTS',
        'This email is registered. Log in with its API key (nexus login --token -), or use another email.',
        { details: { field: 'email' } },
      );
    }
    return { engineer, apiKey: key, projectId: invitation?.projectId ?? null };
  }

  /** Whoever accepted one may do so again: that is a retry. */
  async function usable(code: string, { email, id }: { email: string; id?: string }) {
    const parsed = parseKey(code);
    const found = parsed?.kind === 'nxi' ? await openInvitation(database.db, parsed.keyId, id) : undefined;
    if (!found || !sameDigest(found.hash, digestOf(code)) || (found.email !== null && found.email !== email)) throw refusal(false);
    return found;
  }

  /** A single-use code for one project and role. */
  async function invite(actor: Actor, body: z.output<typeof InviteBody>) {
    const { key: code, keyId } = generateKey('nxi');
    const id = Bun.randomUUIDv7();
    const email = body.email ?? null;
    const [row] = await insertInvitation(database.db, {
      id,
      projectId: actor.projectId,
      keyId,
      hash: digestOf(code),
      role: body.role,
      email,
      createdBy: actor.engineer.id,
      hours: body.expiresInHours,
    });
    if (!row) throw unavailable('The database');
    return { id, projectId: actor.projectId, role: body.role, email, expiresAt: new Date(row.expiresAt).toISOString(), code };
  }

  async function accept(principal: Principal, code: string) {
    const found = await usable(code, principal.engineer);
    await database.transaction(async (tx) => {
      if (!(await useInvitation(tx, found.id, principal.engineer.id))) throw refusal(false);
      await addMember(tx, found.projectId, principal.engineer.id, found.role);
    });
    return { projectId: found.projectId, engineerId: principal.engineer.id, role: found.role };
  }

  return { authenticate, keyIsValid, register, invite, accept };
}

const invalidKey = () =>
  new AppError('INVALID_API_KEY', 'This API key is not valid: mistyped, expired or revoked. Log in again with `nexus login`.', {
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
  });

const refusal = (setup: boolean) =>
  new AppError(
    'FORBIDDEN',
    setup
      ? 'The first engineer registers with the setup code that the server printed at its start (nexus login --register --setup-code …).'
      : 'Registration was refused. Ask a lead of your project for an invitation (nexus project invite), or log in with your key.',
  );
