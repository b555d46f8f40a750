import { sql } from 'drizzle-orm';
import type { Key, KeyKind, Scope } from '@nexus/contract';
import { type Queryable, rows } from '../engines/database/database.ts';
import type { Principal } from '../platform/actor.ts';
import type { Position } from '../platform/page.ts';
import type { KeyPrefix } from './api-key.ts';

export const prefixes: Record<KeyKind, KeyPrefix> = { engineer: 'nxp', agent: 'nxa', service: 'nxs' };

/** A key as whoever shows it is judged by. */
export type Credential = {
  hash: string;
  /** Of the secret before the newest, while that is good beside it. */
  oldHash: string | null;
  secret: number;
  over: boolean;
  /** Milliseconds that are left to it, and to its old secret; null: no end. */
  msLeft: number | null;
  oldMsLeft: number | null;
  engineer: Principal['engineer'];
  scopes: Scope[];
  boundTo: string | null;
};

const ms = (until: ReturnType<typeof sql>) => sql`(extract(epoch from ${until} - now()) * 1000)::float8`;

export async function credentialOf(on: Queryable, keyId: string): Promise<Credential | undefined> {
  const [row] = await rows<Omit<Credential, 'engineer'> & Principal['engineer']>(
    on,
    sql`select e.id, e.name, e.email, e.role, k.hash, k.secret, k.scopes, k.project_id as "boundTo",
          case when k.old_until > now() then k.old_hash end as "oldHash",
          (k.revoked_at is not null or k.expires_at <= now()) is true as over,
          ${ms(sql`k.expires_at`)} as "msLeft", ${ms(sql`least(k.expires_at, k.old_until)`)} as "oldMsLeft"
        from api_keys k join engineers e on e.id = k.engineer_id where k.key_id = ${keyId}`,
  );
  if (!row) return undefined;
  const { id, name, email, role, ...credential } = row;
  return { ...credential, engineer: { id, name, email, role } };
}

type KeyRow = Omit<Key, 'prefix'> & { keyId: string; live: boolean };
export type KeyOf = { key: Key; keyId: string; live: boolean };

const columns = sql`id, key_id as "keyId", name, kind, scopes, project_id as "projectId", created_at as "createdAt", expires_at as "expiresAt",
  last_used_at as "lastUsedAt", revoked_at as "revokedAt", case when old_until > now() then old_until end as "oldSecretUntil",
  (revoked_at is null and (expires_at is null or expires_at > now())) as live`;
const time = (value: string | null) => (value === null ? null : new Date(value).toISOString());
const toKey = ({ keyId, live, ...row }: KeyRow): KeyOf => ({
  keyId,
  live,
  key: {
    ...row,
    prefix: `${prefixes[row.kind]}_${keyId}`,
    createdAt: new Date(row.createdAt).toISOString(),
    expiresAt: time(row.expiresAt),
    lastUsedAt: time(row.lastUsedAt),
    revokedAt: time(row.revokedAt),
    oldSecretUntil: time(row.oldSecretUntil),
  },
});

/** Whose keys: an engineer's; for a key that is bound to a project those of that project alone. */
export type Owner = { engineerId: string; boundTo: string | null };
const owned = ({ engineerId, boundTo }: Owner) =>
  boundTo === null ? sql`engineer_id = ${engineerId}` : sql`engineer_id = ${engineerId} and project_id = ${boundTo}`;

export async function keysOf(
  on: Queryable,
  owner: Owner,
  { over, after, limit }: { over: boolean; after: Position | undefined; limit: number },
): Promise<Key[]> {
  const found = await rows<KeyRow>(
    on,
    sql`select ${columns} from api_keys where ${owned(owner)}
        ${over ? sql`` : sql`and revoked_at is null and (expires_at is null or expires_at > now())`}
        ${after ? sql`and (created_at, id) < (${after.at}::timestamptz, ${after.id}::uuid)` : sql``}
        order by created_at desc, id desc limit ${limit}`,
  );
  return found.map((row) => toKey(row).key);
}

/** By the id of its row, or by the public part of the key itself. */
export async function keyOf(on: Queryable, owner: Owner, by: { id: string } | { keyId: string }): Promise<KeyOf | undefined> {
  const [row] = await rows<KeyRow>(
    on,
    sql`select ${columns} from api_keys where ${owned(owner)} and ${'id' in by ? sql`id = ${by.id}` : sql`key_id = ${by.keyId}`}`,
  );
  return row && toKey(row);
}

export type NewKeyRow = {
  id: string;
  keyId: string;
  engineerId: string;
  hash: string;
  kind: KeyKind;
  name: string;
  scopes: readonly Scope[];
  projectId: string | null;
  /** Null: it never ends. */
  hours: number | null;
};

export const insertKey = (tx: Queryable, k: NewKeyRow) =>
  tx.execute(sql`
    insert into api_keys (id, key_id, engineer_id, hash, kind, name, scopes, project_id, expires_at)
    values (${k.id}, ${k.keyId}, ${k.engineerId}, ${k.hash}, ${k.kind}, ${k.name}, ${sql.param([...k.scopes])}::text[], ${k.projectId},
      now() + make_interval(hours => ${k.hours}::int))`);

/** The secret so far stays good for the overlap; one older than it is good no more. False for a key that is over. */
export async function replaceSecret(tx: Queryable, id: string, hash: string, overlapHours: number): Promise<boolean> {
  const replaced = await rows(
    tx,
    sql`update api_keys set secret = secret + 1, hash = ${hash}, old_hash = case when ${overlapHours}::int > 0 then hash end,
          old_until = case when ${overlapHours}::int > 0 then now() + make_interval(hours => ${overlapHours}::int) end
        where id = ${id} and revoked_at is null and (expires_at is null or expires_at > now()) returning id`,
  );
  return replaced.length > 0;
}

/** Once more changes nothing. */
export const revoke = (on: Queryable, id: string) =>
  on.execute(sql`update api_keys set revoked_at = coalesce(revoked_at, now()), old_hash = null, old_until = null where id = ${id}`);

export const markUsed = (on: Queryable, keyIds: string[]) =>
  on.execute(sql`
    update api_keys set last_used_at = now() where key_id = any(${sql.param(keyIds)}::text[])
    and (last_used_at is null or last_used_at < now() - interval '1 minute')`);
