import { sql } from 'drizzle-orm';
import { LRUCache } from 'lru-cache';
import type { z } from 'zod';
import type { AddMemberBody, CreateProjectBody, Membership, Project, ProjectWithMembers, Role } from '@nexus/contract';
import type { PathCase } from '@nexus/paths';
import type { Bus } from '../engines/bus/bus.ts';
import { type Database, type Queryable, rows } from '../engines/database/database.ts';
import type { Ledger } from '../ledger/index.ts';
import type { Actor, Principal } from '../platform/actor.ts';
import { AppError, isDatabaseAway, notFound, violatedConstraint } from '../platform/errors.ts';
import { isUuid } from '../platform/ids.ts';

export type Projects = ReturnType<typeof createProjects>;

const RECHECK_MS = 30_000;
const columns = sql`p.id, p.name, p.slug, p.repo_url as "repoUrl", p.repo_path as "repoPath", p.default_branch as "defaultBranch", p.created_at as "createdAt", p.updated_at as "updatedAt"`;
const clean = (row: Project): Project => ({ ...row, createdAt: new Date(row.createdAt).toISOString(), updatedAt: new Date(row.updatedAt).toISOString() });

/** The tenant boundary: who is in, as what. Everything else is reached through a project that its caller is in. */
export function createProjects({ database, bus, ledger }: { database: Database; bus: Bus; ledger: Ledger }) {
  const known = new LRUCache<string, { role: Role | undefined; at: number }>({ max: 50_000 });
  const spellings = new LRUCache<string, PathCase>({ max: 10_000 });

  bus.subscribe('auth', (message) => {
    const [what, projectId, engineerId] = message.split(' ');
    if (what === 'member') known.delete(`${projectId} ${engineerId}`);
  });

  /** The caller's role there; undefined for projects that are foreign or do not exist. Cached for 30 s, longer while the ledger is away. */
  async function membership(engineerId: string, projectId: string): Promise<Role | undefined> {
    if (!isUuid(projectId)) return undefined;
    const name = `${projectId} ${engineerId}`;
    const hit = known.get(name);
    if (hit && Date.now() - hit.at < RECHECK_MS) return hit.role;
    try {
      const [row] = await rows<{ role: Role }>(database.db, sql`select role from members where project_id = ${projectId} and engineer_id = ${engineerId}`);
      // Only what exists is kept: whoever is added is in at once.
      if (row) known.set(name, { role: row.role, at: Date.now() });
      else known.delete(name);
      return row?.role;
    } catch (error) {
      if (hit && isDatabaseAway(error)) return hit.role;
      throw error;
    }
  }

  async function create({ engineer }: Principal, body: z.output<typeof CreateProjectBody>): Promise<Project> {
    const id = Bun.randomUUIDv7();
    try {
      return await database.transaction(async (tx) => {
        await tx.execute(sql`
          insert into projects (id, name, slug, owner_id, repo_url, repo_path, default_branch)
          values (${id}, ${body.name}, ${body.slug}, ${engineer.id}, ${body.repoUrl ?? null}, ${body.repoPath ?? null}, ${body.defaultBranch})`);
        await tx.execute(sql`insert into ledgers (project_id, ledger_id) values (${id}, gen_random_uuid())`);
        await addMember(tx, id, engineer.id, 'lead');
        return one(tx, id);
      });
    } catch (error) {
      if (!violatedConstraint(error)) throw error;
      throw new AppError('ALREADY_EXISTS', `You have a project ${body.slug} already. Choose another slug, or link it (nexus project link ${body.slug}).`, { details: { field: 'slug' } });
    }
  }

  async function one(on: Queryable, id: string): Promise<Project> {
    const [row] = await rows<Project>(on, sql`select ${columns} from projects p where p.id = ${id}`);
    if (!row) throw notFound();
    return clean(row);
  }

  async function list({ engineer }: Principal): Promise<Project[]> {
    const found = await rows<Project>(database.db, sql`select ${columns} from projects p join members m on m.project_id = p.id where m.engineer_id = ${engineer.id} order by p.slug, p.id`);
    return found.map(clean);
  }

  async function get(projectId: string): Promise<ProjectWithMembers> {
    const members = await rows<ProjectWithMembers['members'][number]>(
      database.db,
      sql`select m.engineer_id as "engineerId", m.role, e.name, e.email from members m join engineers e on e.id = m.engineer_id where m.project_id = ${projectId} order by e.name, e.id`,
    );
    return { ...(await one(database.db, projectId)), members };
  }

  /** Someone who is in already keeps the higher role: an invitation takes nothing away. */
  async function addMember(tx: Queryable, projectId: string, engineerId: string, role: Role): Promise<void> {
    await tx.execute(sql`
      insert into members (project_id, engineer_id, role) values (${projectId}, ${engineerId}, ${role})
      on conflict (project_id, engineer_id) do update set role = excluded.role
      where array_position(array['lead', 'member', 'readonly'], excluded.role) < array_position(array['lead', 'member', 'readonly'], members.role)`);
    known.delete(`${projectId} ${engineerId}`);
    bus.publish('auth', `member ${projectId} ${engineerId}`);
  }

  /** By id or email. Who is in already is refused; a role is changed, not added twice. */
  async function add(actor: Actor, body: z.output<typeof AddMemberBody>): Promise<Membership> {
    const [engineer] =
      body.email !== undefined
        ? await rows<{ id: string; name: string }>(database.db, sql`select id, name from engineers where lower(email) = ${body.email}`)
        : isUuid(body.engineerId ?? '')
          ? await rows<{ id: string; name: string }>(database.db, sql`select id, name from engineers where id = ${body.engineerId}`)
          : [];
    if (!engineer) throw new AppError('NOT_FOUND', 'No such engineer is registered here. Invite them instead: nexus project invite.');
    return ledger.change(actor, 'member', async (tx, at) => {
      const inserted = await rows(
        tx,
        sql`insert into members (project_id, engineer_id, role) values (${actor.projectId}, ${engineer.id}, ${body.role}) on conflict do nothing returning role`,
      );
      if (inserted.length === 0) throw new AppError('ALREADY_EXISTS', `${engineer.name} is in this project already.`, { details: { field: 'engineerId' } });
      at.emit({ type: 'member_added', data: { engineerId: engineer.id, name: engineer.name, role: body.role } });
      return { projectId: actor.projectId, engineerId: engineer.id, role: body.role };
    });
  }

  async function pathCase(projectId: string): Promise<PathCase> {
    const hit = spellings.get(projectId);
    if (hit) return hit;
    const [row] = await rows<{ pathCase: PathCase }>(database.db, sql`select path_case as "pathCase" from projects where id = ${projectId}`);
    if (!row) throw notFound();
    spellings.set(projectId, row.pathCase);
    return row.pathCase;
  }

  return { membership, create, list, get, add, addMember, pathCase };
}
