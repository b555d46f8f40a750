import { sql } from 'drizzle-orm';
import {
  type CreateProjectBody,
  defaultPolicy,
  type Project,
  type ProjectPolicy,
  type ProjectWithMembers,
  type Role,
} from '@nexus/contract';
import type { PathCase } from '@nexus/paths';
import type { z } from 'zod';
import { type Queryable, rows } from '../engines/database/database.ts';
import { AppError, notFound } from '../platform/errors.ts';
import { isUuid } from '../platform/ids.ts';

const columns = sql`p.id, p.name, p.slug, p.repo_url as "repoUrl", p.repo_path as "repoPath", p.default_branch as "defaultBranch", p.policy, p.created_at as "createdAt", p.updated_at as "updatedAt"`;
const clean = (row: Project): Project => ({
  ...row,
  policy: { ...defaultPolicy, ...row.policy },
  createdAt: new Date(row.createdAt).toISOString(),
  updatedAt: new Date(row.updatedAt).toISOString(),
});

export async function roleOf(on: Queryable, projectId: string, engineerId: string): Promise<Role | undefined> {
  const [row] = await rows<{ role: Role }>(
    on,
    sql`select role from members where project_id = ${projectId} and engineer_id = ${engineerId}`,
  );
  return row?.role;
}

/** The project with its ledger: the one does not exist without the other. */
export async function insertProject(tx: Queryable, id: string, ownerId: string, body: z.output<typeof CreateProjectBody>): Promise<void> {
  await tx.execute(sql`
    insert into projects (id, name, slug, owner_id, repo_url, repo_path, default_branch)
    values (${id}, ${body.name}, ${body.slug}, ${ownerId}, ${body.repoUrl ?? null}, ${body.repoPath ?? null}, ${body.defaultBranch})`);
  await tx.execute(sql`insert into ledgers (project_id, ledger_id) values (${id}, gen_random_uuid())`);
}

export async function projectById(on: Queryable, id: string): Promise<Project | undefined> {
  const [row] = await rows<Project>(on, sql`select ${columns} from projects p where p.id = ${id}`);
  return row && clean(row);
}

export async function projectsOf(on: Queryable, engineerId: string): Promise<Project[]> {
  const found = await rows<Project>(
    on,
    sql`select ${columns} from projects p join members m on m.project_id = p.id where m.engineer_id = ${engineerId} order by p.slug, p.id`,
  );
  return found.map(clean);
}

export const membersOf = (on: Queryable, projectId: string): Promise<ProjectWithMembers['members']> =>
  rows(
    on,
    sql`select m.engineer_id as "engineerId", m.role, e.name, e.email from members m join engineers e on e.id = m.engineer_id
        where m.project_id = ${projectId} order by e.name, e.id`,
  );

/** Someone who is in already keeps the higher role: an invitation takes nothing away. Undefined: it changed nothing. */
export async function raiseMember(
  tx: Queryable,
  projectId: string,
  engineerId: string,
  role: Role,
): Promise<'added' | 'raised' | undefined> {
  const [row] = await rows<{ added: boolean }>(
    tx,
    sql`insert into members (project_id, engineer_id, role) values (${projectId}, ${engineerId}, ${role})
        on conflict (project_id, engineer_id) do update set role = excluded.role
        where array_position(array['lead', 'member', 'readonly'], excluded.role) < array_position(array['lead', 'member', 'readonly'], members.role)
        returning xmax = 0 as added`,
  );
  return row && (row.added ? 'added' : 'raised');
}

export type Member = { engineerId: string; name: string; role: Role };

/** Throws NOT_FOUND for whoever is not in. */
export async function requireMember(tx: Queryable, projectId: string, engineerId: string): Promise<Member> {
  const [row] = isUuid(engineerId)
    ? await rows<Member>(
        tx,
        sql`select m.engineer_id as "engineerId", e.name, m.role from members m join engineers e on e.id = m.engineer_id
            where m.project_id = ${projectId} and m.engineer_id = ${engineerId}`,
      )
    : [];
  if (!row) throw notFound();
  return row;
}

/** Under the project's lock: of two leads that go at the same time one stays. Throws LAST_LEAD. */
export async function requireOtherLead(tx: Queryable, projectId: string, { engineerId, name }: Member): Promise<void> {
  const others = await rows(
    tx,
    sql`select 1 from members where project_id = ${projectId} and role = 'lead' and engineer_id <> ${engineerId} limit 1`,
  );
  if (others.length === 0)
    throw new AppError(
      'LAST_LEAD',
      `${name} is the only lead of this project. Make somebody else lead first: nexus project role <email> lead.`,
    );
}

export const updateRole = (tx: Queryable, projectId: string, engineerId: string, role: Role) =>
  tx.execute(sql`update members set role = ${role} where project_id = ${projectId} and engineer_id = ${engineerId}`);

export const deleteMember = (tx: Queryable, projectId: string, engineerId: string) =>
  tx.execute(sql`delete from members where project_id = ${projectId} and engineer_id = ${engineerId}`);

/** False for someone who is in already. */
export async function insertMember(tx: Queryable, projectId: string, engineerId: string, role: Role): Promise<boolean> {
  const inserted = await rows(
    tx,
    sql`insert into members (project_id, engineer_id, role) values (${projectId}, ${engineerId}, ${role}) on conflict do nothing returning role`,
  );
  return inserted.length > 0;
}

export async function findEngineer(
  on: Queryable,
  by: { email: string } | { id: string },
): Promise<{ id: string; name: string } | undefined> {
  const where = 'email' in by ? sql`lower(email) = ${by.email}` : sql`id = ${by.id}`;
  return (await rows<{ id: string; name: string }>(on, sql`select id, name from engineers where ${where}`))[0];
}

export const updateProject = (tx: Queryable, p: Project) =>
  tx.execute(sql`
    update projects set name = ${p.name}, repo_url = ${p.repoUrl}, repo_path = ${p.repoPath}, default_branch = ${p.defaultBranch},
      policy = ${JSON.stringify(p.policy)}::jsonb, updated_at = now() where id = ${p.id}`);

export type Rules = { pathCase: PathCase; brief: string[]; derived: string[]; landing: boolean; undeclared: ProjectPolicy['undeclared'] };

export async function rulesOf(on: Queryable, projectId: string): Promise<Rules | undefined> {
  const [row] = await rows<{ pathCase: PathCase; policy: Partial<ProjectPolicy> | null }>(
    on,
    sql`select path_case as "pathCase", policy from projects where id = ${projectId}`,
  );
  return (
    row && {
      pathCase: row.pathCase,
      brief: row.policy?.brief ?? [],
      derived: row.policy?.derived ?? [],
      landing: row.policy?.landing ?? false,
      undeclared: row.policy?.undeclared ?? 'tell',
    }
  );
}
