import { sql } from 'drizzle-orm';
import type { InvitationEntry } from '@nexus/contract';
import { type Queryable, rows } from '../engines/database/database.ts';
import type { Position } from '../platform/page.ts';

export type InvitationRow = { id: string; projectId: string; hash: string; role: 'lead' | 'member' | 'readonly'; email: string | null };

/** One that can still be used, or that `by` used. */
export async function openInvitation(on: Queryable, keyId: string, by?: string): Promise<InvitationRow | undefined> {
  const [row] = await rows<InvitationRow>(
    on,
    sql`select id, project_id as "projectId", hash, role, email from invitations
        where key_id = ${keyId} and revoked_at is null and ((used_at is null and expires_at > now()) or used_by = ${by ?? null}::uuid)`,
  );
  return row;
}

/** Answers until when it is good. */
export async function insertInvitation(
  tx: Queryable,
  i: { id: string; projectId: string; keyId: string; hash: string; role: string; email: string | null; createdBy: string; hours: number },
): Promise<string> {
  const [row] = await rows<{ expiresAt: string }>(
    tx,
    sql`insert into invitations (id, project_id, key_id, hash, role, email, created_by, expires_at)
        values (${i.id}, ${i.projectId}, ${i.keyId}, ${i.hash}, ${i.role}, ${i.email}, ${i.createdBy}, now() + make_interval(hours => ${i.hours}))
        returning expires_at as "expiresAt"`,
  );
  return new Date(row?.expiresAt ?? 0).toISOString();
}

const columns = sql`i.id, i.project_id as "projectId", i.role, i.email, i.created_at as "createdAt", i.expires_at as "expiresAt",
  json_build_object('engineerId', e.id, 'name', e.name) as "createdBy"`;
type Selected = InvitationEntry & { used: boolean; revoked: boolean };
const toEntry = ({ used: _used, revoked: _revoked, ...entry }: Selected): InvitationEntry => ({
  ...entry,
  createdAt: new Date(entry.createdAt).toISOString(),
  expiresAt: new Date(entry.expiresAt).toISOString(),
});

export async function invitationsOf(
  on: Queryable,
  projectId: string,
  { after, limit }: { after: Position | undefined; limit: number },
): Promise<InvitationEntry[]> {
  const found = await rows<Selected>(
    on,
    sql`select ${columns} from invitations i join engineers e on e.id = i.created_by
        where i.project_id = ${projectId} and i.revoked_at is null and i.used_at is null and i.expires_at > now()
        ${after ? sql`and (i.created_at, i.id) < (${after.at}::timestamptz, ${after.id}::uuid)` : sql``}
        order by i.created_at desc, i.id desc limit ${limit}`,
  );
  return found.map(toEntry);
}

export async function invitationById(on: Queryable, projectId: string, id: string) {
  const [row] = await rows<Selected>(
    on,
    sql`select ${columns}, i.used_at is not null as used, i.revoked_at is not null as revoked
        from invitations i join engineers e on e.id = i.created_by where i.project_id = ${projectId} and i.id = ${id}`,
  );
  return row && { used: row.used, revoked: row.revoked, entry: toEntry(row) };
}

export const revokeInvitation = (tx: Queryable, id: string) => tx.execute(sql`update invitations set revoked_at = now() where id = ${id}`);

/** Ends those that somebody made and nobody used, and those that somebody came in by. */
export const revokeInvitationsOf = (tx: Queryable, projectId: string, of: { createdBy: string; usedBy?: string }) =>
  tx.execute(sql`
    update invitations set revoked_at = now() where project_id = ${projectId} and revoked_at is null
    and ((created_by = ${of.createdBy} and used_at is null) or used_by = ${of.usedBy ?? null}::uuid)`);

/** Uses it up, once more for whoever did: of two others that race one gets true. */
export async function useInvitation(tx: Queryable, id: string, by: string): Promise<boolean> {
  const used = await rows(
    tx,
    sql`update invitations set used_at = now(), used_by = ${by}
        where id = ${id} and revoked_at is null and ((used_at is null and expires_at > now()) or used_by = ${by}) returning id`,
  );
  return used.length > 0;
}
