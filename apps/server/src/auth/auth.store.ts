import { sql } from 'drizzle-orm';
import { type Queryable, rows } from '../engines/database/database.ts';
import type { Principal } from '../platform/actor.ts';

export type KeyRow = { hash: string; principal: Principal; revoked: boolean };

export async function keyById(on: Queryable, keyId: string): Promise<KeyRow | undefined> {
  const [row] = await rows<{
    id: string;
    name: string;
    email: string;
    role: Principal['engineer']['role'];
    hash: string;
    revoked: boolean;
  }>(
    on,
    sql`select e.id, e.name, e.email, e.role, k.hash, (k.revoked_at is not null or k.expires_at < now()) is true as revoked
        from api_keys k join engineers e on e.id = k.engineer_id where k.key_id = ${keyId}`,
  );
  return (
    row && {
      hash: row.hash,
      revoked: row.revoked,
      principal: { keyId, engineer: { id: row.id, name: row.name, email: row.email, role: row.role } },
    }
  );
}

export async function anyEngineer(on: Queryable): Promise<boolean> {
  return (await rows(on, sql`select 1 from engineers limit 1`)).length > 0;
}

/** Within a transaction, which keeps others from registering until its end: of several that think so one is the first. */
export async function isFirst(tx: Queryable): Promise<boolean> {
  await tx.execute(sql`lock table engineers in share row exclusive mode`);
  return !(await anyEngineer(tx));
}

export const insertEngineer = (tx: Queryable, e: { id: string; name: string; email: string; role: string }) =>
  tx.execute(sql`insert into engineers (id, name, email, role) values (${e.id}, ${e.name}, ${e.email}, ${e.role})`);

export const insertKey = (tx: Queryable, k: { keyId: string; engineerId: string; hash: string }) =>
  tx.execute(sql`insert into api_keys (id, key_id, engineer_id, hash) values (gen_random_uuid(), ${k.keyId}, ${k.engineerId}, ${k.hash})`);

export type InvitationRow = { id: string; projectId: string; hash: string; role: 'lead' | 'member' | 'readonly'; email: string | null };

/** One that can still be used, or that `by` used. */
export async function openInvitation(on: Queryable, keyId: string, by?: string): Promise<InvitationRow | undefined> {
  const [row] = await rows<InvitationRow>(
    on,
    sql`select id, project_id as "projectId", hash, role, email from invitations
        where key_id = ${keyId} and ((used_at is null and expires_at > now()) or used_by = ${by ?? null}::uuid)`,
  );
  return row;
}

export const insertInvitation = (
  tx: Queryable,
  i: { id: string; projectId: string; keyId: string; hash: string; role: string; email: string | null; createdBy: string; hours: number },
) =>
  rows<{ expiresAt: string }>(
    tx,
    sql`insert into invitations (id, project_id, key_id, hash, role, email, created_by, expires_at)
        values (${i.id}, ${i.projectId}, ${i.keyId}, ${i.hash}, ${i.role}, ${i.email}, ${i.createdBy}, now() + make_interval(hours => ${i.hours}))
        returning expires_at as "expiresAt"`,
  );

/** Uses it up, once more for whoever did: of two others that race one gets true. */
export async function useInvitation(tx: Queryable, id: string, by: string): Promise<boolean> {
  const used = await rows(
    tx,
    sql`update invitations set used_at = now(), used_by = ${by}
        where id = ${id} and ((used_at is null and expires_at > now()) or used_by = ${by}) returning id`,
  );
  return used.length > 0;
}
