import type { ProjectPolicy } from '@nexus/contract';
import { isListed } from '@nexus/paths';
import { relative } from 'node:path';
import type { Actor } from './actor.ts';
import { giveBackBrief } from './brief.ts';
import { changed, type Dirty, dirtyPaths, notIgnored } from './dirty.ts';
import { type EditNeeds, type Edits, isAway, merged } from './edits.ts';
import type { Caller, HookEvent, Verdict } from './event.ts';
import { claim, foldedNode } from './guard.ts';
import { writeJournal } from './journal.ts';
import type { Place } from './places.ts';
import type { Project } from './projects.ts';
import { afterwards, sweep, untold } from './say.ts';
import { parseShell, type ShellWrites } from './shell.ts';

type Needs = EditNeeds & { edits: Edits; othersWrote: (place: Place, path: string, actor: Actor, since: number) => boolean };

/** git must be quick, or nothing is compared: the agent waits for it. */
const statusMs = 400;
/** For this long after git was too slow in a worktree, no command waits for it there. */
const slowMs = 60_000;
/** Longer than any command in the foreground runs. */
const lookMs = 3600_000;

/** Commands: what they say they write is judged before, what they wrote is looked at afterwards. */
export function createBash({ places, projects, actors, edits, run, now, wrote, othersWrote, away }: Needs) {
  /** By call: the worktree as it was before the command that runs. What comes after one may come after the next has begun. */
  const looks = new Map<string, { at: number; toplevel: string; dirty: Dirty }>();
  const slowUntil = new Map<string, number>();
  const lookKey = ({ sessionId, subagentId = '', callId = '' }: HookEvent): string => `${sessionId}/${subagentId}/${callId}`;

  async function before(event: HookEvent, caller: Caller): Promise<Verdict> {
    const writes = parseShell(event.tool?.command ?? '', event.cwd);
    const verdict = merged([
      await swept(event, writes, caller),
      writes.paths.length > 0 ? await edits.before(event, writes.paths, caller) : {},
    ]);
    looks.delete(lookKey(event));
    const place = verdict.deny === undefined ? await places.find(event.cwd, caller.env) : undefined;
    if (place === undefined) return verdict;
    const known = actors.known(event, place.link);
    if (known !== undefined && writes.commits) known.committed = true;
    if (known !== undefined && writes.usesNexus) known.own.doubt();
    const { toplevel } = place.worktree;
    const at = now();
    if (!writes.unclear || at < (slowUntil.get(toplevel) ?? 0)) return verdict;
    const dirty = await dirtyPaths(run, toplevel, statusMs);
    if (dirty === undefined) slowUntil.set(toplevel, now() + slowMs);
    else looks.set(lookKey(event), { at, toplevel, dirty });
    // Commands that were interrupted have no after.
    for (const [key, look] of looks) if (at - look.at > lookMs) looks.delete(key);
    return verdict;
  }

  /** git commands that write every uncommitted path, where another live session has some in the same worktree. */
  async function swept(event: HookEvent, { sweeping }: ShellWrites, caller: Caller): Promise<Verdict> {
    for (const { command, scope, whole, instead } of sweeping) {
      const place = await places.find(scope, caller.env);
      if (place === undefined || away.isAway(place.link.server)) continue;
      const dirty = await dirtyPaths(run, place.worktree.toplevel, statusMs);
      if (dirty === undefined || dirty.size === 0) continue;
      const below = whole ? '' : relative(place.worktree.toplevel, scope);
      const inScope = [...dirty.keys()].filter((path) => below === '' || path.startsWith(`${below}/`));
      const foreign = await foreignPaths(event, place, inScope, caller);
      if (foreign.length > 0) return { deny: sweep(command, foreign, instead) };
    }
    return {};
  }

  async function foreignPaths(event: HookEvent, place: Place, paths: string[], caller: Caller) {
    try {
      const project = paths.length > 0 ? await projects.resolve(place.link) : undefined;
      if (project === undefined) return [];
      const actor = await actors.ensure(event, place, project, caller);
      return await dirtyOfOthers(actor, place, project, paths);
    } catch (error) {
      if (isAway(error)) return [];
      throw error;
    }
  }

  async function dirtyOfOthers(actor: Actor, { worktree }: Place, project: Project, paths: string[]) {
    const { client } = actor;
    const { sessions } = await client.status({ projectId: project.projectId });
    const machine = actor.session.metadata['machine'];
    const here = new Set(
      sessions.filter(({ metadata }) => metadata['machine'] === machine && metadata['worktree'] === worktree.toplevel).map(({ id }) => id),
    );
    here.delete(actor.session.id);
    if (here.size === 0) return [];
    const check = await client.checkClaims(
      { projectId: project.projectId, body: { paths: paths.slice(0, 500) } },
      { session: actor.session.id },
    );
    return check.paths.flatMap(({ path, conflicts }) =>
      conflicts
        .filter(({ claimedBy }) => here.has(claimedBy.sessionId))
        .slice(0, 1)
        .map(({ claimedBy }) => ({ path, holder: `${claimedBy.engineerName}, ${claimedBy.featureSlug ?? 'ad hoc'}` })),
    );
  }

  /** What changed while it ran: free paths become this session's, foreign ones are told. */
  async function after(event: HookEvent, caller: Caller): Promise<Verdict> {
    const look = looks.get(lookKey(event));
    looks.delete(lookKey(event));
    const place = await places.find(event.cwd, caller.env);
    if (place === undefined) return {};
    const known = actors.known(event, place.link);
    const command = event.tool?.command ?? '';
    if (/\bnexus\b/.test(command)) known?.own.doubt();
    const told = (event.tool?.paths ?? []).map((path) => relative(place.worktree.toplevel, path)).filter((path) => !path.startsWith('..'));
    const dirty = look?.toplevel === place.worktree.toplevel ? await dirtyPaths(run, look.toplevel, statusMs) : undefined;
    const paths = [...new Set([...told, ...(look && dirty ? changed(look.dirty, dirty) : [])])].slice(0, 500);
    const committed = known !== undefined && parseShell(command, event.cwd).commits;
    if (paths.length === 0 && !committed) return {};
    const since = look?.at ?? now();
    try {
      if (away.isAway(place.link.server)) return await remember(event, place, paths, since);
      const project = await projects.resolve(place.link);
      const verdict = project === undefined || paths.length === 0 ? {} : await settle(event, place, project, paths, since, caller);
      if (project !== undefined && committed) await giveBackBrief(known, place, await projects.policy(project), run);
      return verdict;
    } catch (error) {
      if (!isAway(error)) throw error;
      away.note(place.link.server);
      return remember(event, place, paths, since);
    }
  }

  /** Without the server: compared when it is back. */
  async function remember(event: HookEvent, place: Place, paths: string[], since: number): Promise<Verdict> {
    if (paths.length === 0) return {};
    const known = actors.known(event, place.link);
    const isOthers = (path: string): boolean => known !== undefined && (known.own.covers(path) || othersWrote(place, path, known, since));
    const guarded = await notIgnored(
      run,
      place.worktree.toplevel,
      paths.filter((path) => !isOthers(path)),
    );
    writeJournal(place.worktree, known?.agentSessionId ?? event.sessionId, guarded, now());
    return {};
  }

  async function settle(
    event: HookEvent,
    place: Place,
    project: Project,
    paths: string[],
    since: number,
    caller: Caller,
  ): Promise<Verdict> {
    const policy = await projects.policy(project);
    const guarded = await notIgnored(
      run,
      place.worktree.toplevel,
      paths.filter((path) => !isListed(foldedNode(path), policy.derived)),
    );
    return edits.withActor(event, place, project, caller, async (actor) => {
      // Another session of this keeper wrote it meanwhile: that is its work, not this command's.
      const own = guarded.filter((path) => !actor.own.covers(path) && !othersWrote(place, path, actor, since));
      return own.length === 0 ? {} : cover(actor, place, policy, own);
    });
  }

  async function cover(actor: Actor, place: Place, policy: ProjectPolicy, paths: string[]): Promise<Verdict> {
    const { client, project, session } = actor;
    const check = await client.checkClaims({ projectId: project.projectId, body: { paths } }, { session: session.id });
    const held = check.paths.flatMap(({ conflicts }) => conflicts.slice(0, 1));
    const free = check.paths.flatMap(({ state }, index) => (state === 'free' ? (paths[index] ?? []) : []));
    wrote(place, free, actor);
    if (free.length > 0 && policy.edits === 'claim') await claim(actor, free, policy);
    const told = [held.length > 0 ? afterwards(held) : '', free.length > 0 && policy.edits !== 'claim' ? untold(free) : ''].filter(Boolean);
    return told.length > 0 ? { context: told.join('\n') } : {};
  }

  return { before, after };
}
