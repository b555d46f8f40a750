import {
  type CreateKeyBody,
  defaultKeyHours,
  defaultScopes,
  type Key,
  type ListKeysQuery,
  type NewKey,
  type Role,
  type Scope,
} from '@nexus/contract';
import type { z } from 'zod';
import type { Bus } from '../engines/bus/bus.ts';
import type { Database, Queryable } from '../engines/database/database.ts';
import type { Ledger } from '../ledger/index.ts';
import type { Caller, Principal } from '../platform/actor.ts';
import { AppError, notFound } from '../platform/errors.ts';
import { isUuid } from '../platform/ids.ts';
import type { Log } from '../platform/log.ts';
import { pageOf, positionOf } from '../platform/page.ts';
import { makeKey, newKeyId, newSecret, secretFor } from './api-key.ts';
import type { Hashing } from './hashing.ts';
import { insertKey, keyOf, type KeyOf, keysOf, type Owner, prefixes, replaceSecret, revoke as revokeRow } from './keys.store.ts';

export type Keys = ReturnType<typeof createKeys>;

type Needs = {
  database: Database;
  ledger: Ledger;
  bus: Bus;
  hashing: Hashing;
  salt: string;
  log: Log;
  membership: (engineerId: string, projectId: string) => Promise<Role | undefined>;
};

/** The caller's own keys. None makes one that may do more than itself, nor gets the secret of such a one by rotating it. */
export function createKeys({ database, ledger, bus, hashing, salt, log, membership }: Needs) {
  async function list(caller: Caller, { over, cursor, limit }: z.output<typeof ListKeysQuery>) {
    const found = await keysOf(database.db, ownerOf(caller), { over: over === 'true', after: positionOf(cursor), limit: limit + 1 });
    return pageOf(found, limit, ({ createdAt, id }) => ({ at: createdAt, id }));
  }

  /** The key that the caller shows. */
  async function current(caller: Principal): Promise<Key> {
    const found = await keyOf(database.db, ownerOf(caller), { keyId: caller.keyId });
    if (!found) throw notFound();
    return found.key;
  }

  async function create(caller: Caller, body: CreateKeyBody): Promise<NewKey> {
    const projectId = body.projectId ?? caller.boundTo;
    if (caller.boundTo !== null && projectId !== caller.boundTo) throw notFound();
    if (projectId !== null && !(await membership(caller.engineer.id, projectId))) throw notFound();
    const wanted = body.scopes ?? defaultScopes[body.kind].filter((scope) => caller.scopes.includes(scope));
    requireNoMore(caller, wanted);
    const hours = body.expiresInHours === undefined ? defaultKeyHours[body.kind] : body.expiresInHours;
    const row = { id: Bun.randomUUIDv7(), keyId: newKeyId(), engineerId: caller.engineer.id, kind: body.kind, name: body.name };
    const secret = secretOf(caller);
    const hash = await hashing.hash(makeKey(prefixes[body.kind], row.keyId, secret));
    const made = await ledger.once(caller, async (tx) => {
      await insertKey(tx, { ...row, hash, scopes: [...new Set(wanted)], projectId, hours });
      return require(tx, caller, row.id);
    });
    log.info({ key: made.key.prefix, by: caller.keyId, engineer: caller.engineer.id }, 'an API key was made');
    return { ...made.key, apiKey: makeKey(prefixes[made.key.kind], made.keyId, secret) };
  }

  async function rotate(caller: Caller, id: string, overlapHours: number): Promise<NewKey> {
    const before = await require(database.db, caller, id);
    requireNoMore(caller, before.key.scopes);
    const secret = secretOf(caller);
    const prefix = prefixes[before.key.kind];
    const apiKey = makeKey(prefix, before.keyId, secret);
    const hash = await hashing.hash(apiKey);
    const rotated = await ledger.once(caller, async (tx) => {
      if (!(await replaceSecret(tx, before.key.id, hash, overlapHours)))
        throw new AppError('INVALID_STATUS_TRANSITION', 'This key is revoked or expired. Make a new one: nexus key create.');
      return require(tx, caller, id);
    });
    changed(before, caller, 'an API key was rotated');
    return { ...rotated.key, apiKey };
  }

  async function revoke(caller: Caller, id: string): Promise<Key> {
    const before = await require(database.db, caller, id);
    await revokeRow(database.db, before.key.id);
    changed(before, caller, 'an API key was revoked');
    return (await require(database.db, caller, id)).key;
  }

  function changed({ keyId, key }: KeyOf, caller: Caller, what: string) {
    bus.publish('auth', `key ${keyId}`);
    log.info({ key: key.prefix, by: caller.keyId, engineer: caller.engineer.id }, what);
  }

  async function require(on: Queryable, caller: Caller, id: string): Promise<KeyOf> {
    const found = isUuid(id) ? await keyOf(on, ownerOf(caller), { id }) : undefined;
    if (!found) throw notFound();
    return found;
  }

  /** The same for a retry. No table has it. */
  const secretOf = ({ engineer, idempotency }: Caller): string =>
    idempotency ? secretFor(salt, [engineer.id, idempotency.key, idempotency.fingerprint].join('\n')) : newSecret();

  return { list, current, create, rotate, revoke };
}

const ownerOf = ({ engineer, boundTo }: Principal): Owner => ({ engineerId: engineer.id, boundTo });

function requireNoMore(caller: Principal, wanted: readonly Scope[]): void {
  const missing = wanted.filter((scope) => !caller.scopes.includes(scope));
  if (missing.length > 0)
    throw new AppError(
      'FORBIDDEN',
      `That key could do more than the calling one, which has no ${missing.join(', ')}. Use a key that has it.`,
      {
        details: { scopes: caller.scopes, needed: missing },
      },
    );
}
