import { LRUCache } from 'lru-cache';
import type { z } from 'zod';
import type { AddMemberBody, CreateProjectBody, Membership, Project, ProjectWithMembers, Role, UpdateProjectBody } from '@nexus/contract';
import type { Bus } from '../engines/bus/bus.ts';
import type { Database, Queryable } from '../engines/database/database.ts';
import { revokeInvitationsOf } from '../auth/index.ts';
import type { Change, Ledger } from '../ledger/index.ts';
import type { Actor, Caller, Principal } from '../platform/actor.ts';
import { AppError, isDatabaseAway, notFound, violatedConstraint } from '../platform/errors.ts';
import { isUuid } from '../platform/ids.ts';
import { requireUnbound } from '../platform/scopes.ts';
import { within } from '../platform/within.ts';
import {
  deleteMember,
  findEngineer,
  insertMember,
  insertProject,
  membersOf,
  projectById,
  projectsOf,
  raiseMember,
  requireMember,
  requireOtherLead,
  roleOf,
  type Rules,
  rulesOf,
  updateProject,
  updateRole,
} from './projects.store.ts';

export type Projects = ReturnType<typeof createProjects>;

const RECHECK_MS = 30_000;
/** How long a known member waits for a ledger that hangs. */
const PATIENCE_MS = 1000;
/** The tenant boundary: who is in, as what. Everything else is reached through a project that its caller is in. */
export function createProjects({ database, bus, ledger }: { database: Database; bus: Bus; ledger: Ledger }) {
  const known = new LRUCache<string, { role: Role | undefined; at: number }>({ max: 50_000 });
  const ruled = new LRUCache<string, Rules>({ max: 10_000, ttl: RECHECK_MS });

  /** What was read before a change says nothing after it. */
  let changes = 0;

  bus.subscribe('auth', (message) => {
    const [what, projectId, engineerId] = message.split(' ');
    if (what === 'member') forget(`${projectId} ${engineerId}`);
    if (what === 'rules' && projectId) ruled.delete(projectId);
  });

  function forget(name: string) {
    changes += 1;
    known.delete(name);
  }

  /** The caller's role there; undefined for projects that are foreign or do not exist. Cached for 30 s, longer while the ledger is away. */
  async function membership(engineerId: string, projectId: string): Promise<Role | undefined> {
    if (!isUuid(projectId)) return undefined;
    const name = `${projectId} ${engineerId}`;
    const hit = known.get(name);
    if (hit && Date.now() - hit.at < RECHECK_MS) return hit.role;
    const before = changes;
    try {
      const asked = roleOf(database.db, projectId, engineerId);
      const role = await (hit ? within(PATIENCE_MS, asked) : asked);
      // Only what exists is kept: whoever is added is in at once.
      if (role && changes === before) known.set(name, { role, at: Date.now() });
      else known.delete(name);
      return role;
    } catch (error) {
      if (hit && isDatabaseAway(error)) return hit.role;
      throw error;
    }
  }

  async function create(caller: Caller, body: z.output<typeof CreateProjectBody>): Promise<Project> {
    requireUnbound(caller);
    const id = Bun.randomUUIDv7();
    try {
      return await ledger.once(caller, async (tx) => {
        await insertProject(tx, id, caller.engineer.id, body);
        await insertMember(tx, id, caller.engineer.id, 'lead');
        return one(tx, id);
      });
    } catch (error) {
      if (!violatedConstraint(error)) throw error;
      throw new AppError(
        'ALREADY_EXISTS',
        `You have a project ${body.slug} already. Choose another slug, or link it (nexus project link ${body.slug}).`,
        { details: { field: 'slug' } },
      );
    }
  }

  async function one(on: Queryable, id: string): Promise<Project> {
    const row = await projectById(on, id);
    if (!row) throw notFound();
    return row;
  }

  async function list({ engineer, boundTo }: Principal): Promise<Project[]> {
    return (await projectsOf(database.db, engineer.id)).filter(({ id }) => boundTo === null || id === boundTo);
  }

  async function get(projectId: string): Promise<ProjectWithMembers> {
    const members = await membersOf(database.db, projectId);
    return { ...(await one(database.db, projectId)), members };
  }

  /** By an invitation. Who is in already keeps the higher role. */
  async function join(tx: Queryable, at: Change, { id: engineerId, name }: { id: string; name: string }, role: Role): Promise<void> {
    const raised = await raiseMember(tx, at.projectId, engineerId, role);
    if (!raised) return;
    const type = raised === 'added' ? 'member_added' : 'member_updated';
    at.emit({ type, of: { engineerId, engineerName: name, sessionId: null, agent: null }, data: { engineerId, name, role } });
  }

  /** After the commit: whatever is known of them anywhere is asked anew, and their sockets are looked at. */
  function memberChanged(projectId: string, engineerId: string) {
    forget(`${projectId} ${engineerId}`);
    bus.publish('auth', `member ${projectId} ${engineerId}`);
  }

  /** By id or email. Who is in already is refused; a role is changed, not added twice. */
  async function add(actor: Actor, body: z.output<typeof AddMemberBody>): Promise<Membership> {
    const { email, engineerId = '' } = body;
    const engineer =
      email !== undefined
        ? await findEngineer(database.db, { email })
        : isUuid(engineerId)
          ? await findEngineer(database.db, { id: engineerId })
          : undefined;
    if (!engineer) throw new AppError('NOT_FOUND', 'No such engineer is registered here. Invite them instead: nexus project invite.');
    const added = await ledger.change(actor, 'member', async (tx, at) => {
      if (!(await insertMember(tx, actor.projectId, engineer.id, body.role))) {
        throw new AppError('ALREADY_EXISTS', `${engineer.name} is in this project already. nexus project role changes what they may do.`, {
          details: { field: 'engineerId' },
        });
      }
      at.emit({ type: 'member_added', data: { engineerId: engineer.id, name: engineer.name, role: body.role } });
      return { projectId: actor.projectId, engineerId: engineer.id, role: body.role };
    });
    memberChanged(actor.projectId, engineer.id);
    return added;
  }

  /** The role that they have already is no change. What a demoted lead invited comes to nothing. */
  async function setRole(actor: Actor, engineerId: string, role: Role): Promise<Membership> {
    const changed = await ledger.change(actor, 'member', async (tx, at) => {
      const member = await requireMember(tx, actor.projectId, engineerId);
      if (member.role !== role) {
        if (member.role === 'lead') {
          await requireOtherLead(tx, actor.projectId, member);
          await revokeInvitationsOf(tx, actor.projectId, { createdBy: engineerId });
        }
        await updateRole(tx, actor.projectId, engineerId, role);
        at.emit({ type: 'member_updated', data: { engineerId, name: member.name, role, before: member.role } });
      }
      return { projectId: actor.projectId, engineerId, role };
    });
    memberChanged(actor.projectId, engineerId);
    return changed;
  }

  /** Takes them out, within a change that ends what they hold as well. */
  async function leave(tx: Queryable, at: Change, engineerId: string): Promise<{ name: string }> {
    const member = await requireMember(tx, at.projectId, engineerId);
    if (member.role === 'lead') await requireOtherLead(tx, at.projectId, member);
    await deleteMember(tx, at.projectId, engineerId);
    // A code that they made, or came in by, must not bring them back.
    await revokeInvitationsOf(tx, at.projectId, { createdBy: engineerId, usedBy: engineerId });
    at.emit({ type: 'member_removed', data: { engineerId, name: member.name, role: member.role } });
    return member;
  }

  /** What decides how a path is read, and which ones pick leaves alone. */
  async function rules(projectId: string): Promise<Rules> {
    const hit = ruled.get(projectId);
    if (hit) return hit;
    const found = await rulesOf(database.db, projectId);
    if (!found) throw notFound();
    ruled.set(projectId, found);
    return found;
  }

  async function update(actor: Actor, body: z.output<typeof UpdateProjectBody>): Promise<Project> {
    const changed = await ledger.change(actor, 'project', (tx, at) => change(tx, at, body));
    rulesChanged(actor.projectId);
    return changed;
  }

  /** In a transaction of another slice; that calls `rulesChanged` after its commit. */
  async function change(tx: Queryable, at: Change, body: z.output<typeof UpdateProjectBody>): Promise<Project> {
    const before = await one(tx, at.projectId);
    const { policy, ...fields } = body;
    const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    const set = Object.fromEntries(Object.entries(policy ?? {}).filter(([, value]) => value !== undefined));
    await updateProject(tx, { ...before, ...given, policy: { ...before.policy, ...set } });
    at.emit({ type: 'project_updated', data: { fields: Object.keys(body) } });
    return one(tx, at.projectId);
  }

  function rulesChanged(projectId: string): void {
    bus.publish('auth', `rules ${projectId}`);
    ruled.delete(projectId);
  }

  return { membership, create, list, get, add, join, setRole, leave, memberChanged, rules, update, change, rulesChanged };
}
