import { LRUCache } from 'lru-cache';
import { scopes } from '@nexus/contract';
import type { RegisterBody } from '@nexus/contract';
import type { z } from 'zod';
import type { Bus } from '../engines/bus/bus.ts';
import type { Database, Queryable } from '../engines/database/database.ts';
import type { Principal } from '../platform/actor.ts';
import { AppError, isDatabaseAway, violatedConstraint } from '../platform/errors.ts';
import { within } from '../platform/within.ts';
import { createMac, makeKey, newKeyId, newSecret, parseKey } from './api-key.ts';
import { anyEngineer, insertEngineer, isFirst } from './auth.store.ts';
import type { Hashing } from './hashing.ts';
import { type Invitations, refusal } from './invitations.ts';
import { type Credential, credentialOf, insertKey } from './keys.store.ts';

export type Auth = ReturnType<typeof createAuth>;

type Needs = {
  database: Database;
  bus: Bus;
  hashing: Hashing;
  salt: string;
  registration: 'open' | 'invite' | 'closed';
  /** Where registering the first engineer needs the code that the server printed. */
  setupCode: string | undefined;
  invitations: Invitations;
  /** A key was shown and is good. */
  onUse: (keyId: string) => void;
  /** A key was revoked or rotated: who is in by it must be looked at again. */
  onChange?: (keyId: string) => void;
};

const bearer = /^Bearer +(\S+) *$/i;
/** How long a revocation may go unseen where the bus did not carry it. */
const RECHECK_MS = 30_000;
const FAILURE_MS = 60_000;
/** How long a known key waits for a ledger that hangs: its heartbeats must be answered all the same. */
const PATIENCE_MS = 1000;

export function createAuth({ database, bus, hashing, salt, registration, setupCode, invitations, onUse, onChange }: Needs) {
  const macOf = createMac(salt);
  const verified = new LRUCache<string, { principal: Principal; until: number }>({ max: 10_000 });
  const refused = new LRUCache<string, true>({ max: 10_000, ttl: FAILURE_MS });
  /** What was read before a change says nothing after it. */
  let changes = 0;

  bus.subscribe('auth', (message) => {
    const [what, keyId] = message.split(' ');
    if (what !== 'key' || !keyId) return;
    changes += 1;
    for (const [mac, { principal }] of verified.entries()) if (principal.keyId === keyId) verified.delete(mac);
    onChange?.(keyId);
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
    const mac = macOf(key);
    const hit = verified.get(mac);
    if (hit && Date.now() < hit.until) {
      onUse(hit.principal.keyId);
      return hit.principal;
    }
    if (!hit) await admit?.();
    const parsed = parseKey(key);
    if (!parsed || parsed.prefix === 'nxi') throw invalidKey();
    if (refused.has(mac)) throw invalidKey();
    const before = changes;
    try {
      const asked = credentialOf(database.db, parsed.keyId);
      const row = await (hit ? within(PATIENCE_MS, asked) : asked);
      const secret = row && !row.over ? (hit?.principal.secret ?? (await secretShown(row, key))) : undefined;
      if (!row || secret === undefined || !isGood(row, secret)) {
        verified.delete(mac);
        refused.set(mac, true);
        throw invalidKey();
      }
      const { engineer, scopes: allowed, boundTo } = row;
      const principal = { engineer, keyId: parsed.keyId, secret, scopes: allowed, boundTo };
      const msLeft = (secret === row.secret ? row.msLeft : row.oldMsLeft) ?? Infinity;
      if (changes === before) verified.set(mac, { principal, until: Date.now() + Math.min(RECHECK_MS, msLeft) });
      onUse(parsed.keyId);
      return principal;
    } catch (error) {
      if (hit && isDatabaseAway(error)) return hit.principal;
      throw error;
    }
  }

  /** Which of a key's secrets this is; undefined for neither. */
  async function secretShown({ hash, oldHash, secret }: Credential, key: string): Promise<number | undefined> {
    if (await hashing.verify(hash, key)) return secret;
    return oldHash !== null && (await hashing.verify(oldHash, key)) ? secret - 1 : undefined;
  }

  /** For whoever was let in earlier. An outage of ours throws nobody out. */
  async function keyIsValid({ keyId, secret }: Pick<Principal, 'keyId' | 'secret'>): Promise<boolean> {
    try {
      const row = await credentialOf(database.db, keyId);
      return row !== undefined && !row.over && isGood(row, secret);
    } catch (error) {
      if (isDatabaseAway(error)) return true;
      throw error;
    }
  }

  async function register(body: z.output<typeof RegisterBody>) {
    const first = !(await anyEngineer(database.db));
    if (registration === 'closed' && !first) throw refusal(false);
    const invitation = body.invite === undefined ? undefined : await invitations.usable(body.invite, { email: body.email });
    const allowed =
      invitation !== undefined ||
      (body.invite === undefined && (first ? setupCode === undefined || body.setupCode === setupCode : registration === 'open'));
    if (!allowed) throw refusal(first && setupCode !== undefined);
    const keyId = newKeyId();
    const key = makeKey('nxp', keyId, newSecret());
    const hash = await hashing.hash(key);
    const engineer = { id: Bun.randomUUIDv7(), name: body.name, email: body.email };
    const insert = async (tx: Queryable) => {
      const stillFirst = first && (await isFirst(tx));
      if (first && !stillFirst && registration !== 'open') throw refusal(false);
      await insertEngineer(tx, { ...engineer, role: stillFirst ? 'admin' : 'engineer' });
      const row = { id: Bun.randomUUIDv7(), keyId, engineerId: engineer.id, hash, kind: 'engineer' as const, name: 'registration' };
      await insertKey(tx, { ...row, scopes, projectId: null, hours: null });
    };
    try {
      if (invitation) await invitations.use(invitation, engineer, insert);
      else await database.transaction(insert);
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

  return { authenticate, keyIsValid, register };
}

const isGood = (row: Credential, secret: number) => secret === row.secret || (row.oldHash !== null && secret === row.secret - 1);

const invalidKey = () =>
  new AppError('INVALID_API_KEY', 'This API key is not valid: mistyped, expired or revoked. Log in again with `nexus login`.', {
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
  });
