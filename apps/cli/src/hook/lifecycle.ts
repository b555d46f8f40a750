import { NexusError } from '@nexus/client';
import type { Feature } from '@nexus/contract';
import { appendFileSync } from 'node:fs';
import { exportFeature, removeExportsOf } from '../active.ts';
import { commitOf } from '../finished.ts';
import type { Actor, Keeping } from './actor.ts';
import type { Actors } from './actors.ts';
import type { RunGit } from './dirty.ts';
import type { Caller, HookEvent, Verdict } from './event.ts';
import { inheritPaths } from './guard.ts';
import { settleJournal } from './journal.ts';
import type { Place, Places } from './places.ts';
import type { Project, Projects } from './projects.ts';
import { rescue } from '../wip/rescue.ts';
import { type Autosave, workplace } from './autosave.ts';
import { quoted } from './say.ts';
import { startContext, turnContext } from './turn.ts';
import { unlanded } from './unlanded.ts';

type Needs = {
  places: Places;
  projects: Projects;
  actors: Actors;
  keeping: Keeping | undefined;
  run: RunGit;
  now: () => number;
  autosave: Autosave;
};

/** Sessions begin and end with the agent's own, and with its subagents. */
export function createLifecycle({ places, projects, actors, keeping, run, now, autosave }: Needs) {
  async function start(event: HookEvent, place: Place, project: Project, caller: Caller): Promise<Verdict> {
    const actor = await actors.renew(event, place, project, caller);
    exportSession(event, caller);
    const before = event.source === 'clear' ? actors.cleared(actor.pid, project) : undefined;
    const inherited = before === undefined || before === actor ? [] : await inherit(before, actor, place);
    actor.cleared = false;
    const wanted = event.source === 'resume' ? (actor.session.resumable ?? []) : [];
    const resumed = [...inherited, ...(await resume(actor, place, wanted))];
    if (actor.own.readAt() === 0 || resumed.length > 0) await actor.own.read();
    // Asked early, for when the server is away: a strict project stays strict.
    const policy = await projects.policy(project);
    const settled = await settleJournal(actor, place.worktree, () => Promise.resolve(policy), now());
    const status = await actor.client.status({ projectId: project.projectId });
    await rescue(workplace(actor, place), { features: status.interrupted, claims: status.claims, own: actor.session.id });
    const news = actor.news.splice(0);
    return { context: [startContext(actor, status, resumed), ...news, ...(settled ? [settled] : [])].join('\n') };
  }

  async function prompt(event: HookEvent, place: Place, project: Project, caller: Caller): Promise<Verdict> {
    const actor = await actors.ensure(event, place, project, caller);
    const settled = await settleJournal(actor, place.worktree, () => projects.policy(project), now());
    if (settled !== undefined) actor.news.push(settled);
    const context = await turnContext(actor);
    return context === undefined ? {} : { context };
  }

  /** `/clear` begins a conversation under a new id in the same process: its work moves to the new session. */
  async function inherit(before: Actor, actor: Actor, place: Place): Promise<string[]> {
    await before.own.read();
    const slugs = before.own.holds().flatMap(({ featureSlug }) => featureSlug ?? []);
    const paths = before.own.paths();
    await end(before, slugs);
    const resumed = await resume(actor, place, slugs);
    await inheritPaths(actor, paths);
    return resumed;
  }

  async function resume(actor: Actor, { worktree }: Place, slugs: string[]): Promise<string[]> {
    const resumed: string[] = [];
    for (const slug of slugs) {
      try {
        const feature = await takeUp(actor, slug);
        resumed.push(slug);
        exportFeature(worktree, feature);
      } catch (error) {
        // Somebody else has it, or its files cannot be written: what is held is told either way.
        if (error instanceof NexusError && error.status >= 500) throw error;
      }
    }
    return resumed;
  }

  /** Parked or interrupted; or ready, because the session before ended with nothing that was not committed. */
  async function takeUp({ client, project: { projectId }, session }: Actor, slug: string): Promise<Feature> {
    const input = { projectId, slug };
    try {
      return await client.resumeFeature(input, { session: session.id });
    } catch (error) {
      if (!(error instanceof NexusError && error.code === 'INVALID_STATUS_TRANSITION')) throw error;
      return client.pickFeature(input, { session: session.id });
    }
  }

  /** The `nexus` command in the agent's shell acts in this session, also after it was lost and opened anew. */
  function exportSession(event: HookEvent, { env }: Caller): void {
    const file = env['CLAUDE_ENV_FILE'];
    if (!file) return;
    try {
      appendFileSync(file, `export NEXUS_SESSION=${quoted(`${event.agent}:${event.sessionId}`)}\n`);
    } catch {
      // CLAUDE_CODE_SESSION_ID names it as well.
    }
  }

  /** `commit`: what has the work on the paths that it gives back. */
  async function end(actor: Actor, slugs: string[], commit?: string): Promise<void> {
    actors.drop(actor);
    keeping?.forget(actor.session.id);
    const { client, project, session } = actor;
    const input = {
      projectId: project.projectId,
      sessionId: session.id,
      body: { reason: 'ended' as const, unlanded: slugs, ...(commit === undefined ? {} : { commit }) },
    };
    await client.with({ retries: 3 }).endSession(input, { session: session.id });
  }

  async function endAll(event: HookEvent, caller: Caller): Promise<void> {
    const known = actors.all(event.sessionId);
    const own = known.length > 0 ? known : await earlier(event, caller);
    if (event.source === 'clear') return own.forEach((actor) => (actor.cleared = true));
    // First: the process ends now, and would be reported as dead while git is asked. Children end with their parents.
    for (const actor of own) keeping?.forget(actor.session.id);
    for (const child of own.filter(({ parent }) => parent !== undefined)) actors.drop(child);
    const ends = own
      .filter(({ parent }) => parent === undefined)
      .map(async (actor) => {
        const place = await places.find(worktreeOf(actor) ?? event.cwd, caller.env);
        const slugs = place === undefined ? [] : await unlanded(run, actor, place);
        if (place !== undefined && slugs.length > 0) await autosave.save(actor, place, { left: true });
        const commit = place && (await commitOf({ run, toplevel: place.worktree.toplevel, ms: 200 }, actor.own.paths()));
        await end(actor, slugs, commit);
        if (place !== undefined) removeExportsOf(place.worktree, actor.session.id);
      });
    await Promise.all(ends);
  }

  /** A session that another keeper opened, or none: one that is over is not opened to be ended. */
  async function earlier(event: HookEvent, caller: Caller): Promise<Actor[]> {
    const place = await places.find(event.cwd, caller.env);
    const project = place && (await projects.resolve(place.link));
    if (place === undefined || project === undefined) return [];
    const active = await actors.clientFor(project).activeSessions({ projectId: project.projectId });
    const lives = active.some(({ session }) => session.agent === event.agent && session.agentSessionId === event.sessionId);
    return lives ? [await actors.ensure(event, place, project, caller)] : [];
  }

  /** What a subagent holds goes to its parent, which has to answer for it. */
  async function endSubagent(event: HookEvent): Promise<void> {
    for (const child of actors.all(`${event.sessionId}/${event.subagentId ?? ''}`)) {
      await child.own.read();
      const { parent } = child;
      const paths = child.own.paths();
      await end(child, []);
      if (parent !== undefined && paths.length > 0) await inheritPaths(parent, paths);
    }
  }

  return { start, prompt, endAll, endSubagent };
}

const worktreeOf = ({ session }: Actor): string | undefined => {
  const { worktree } = session.metadata;
  return typeof worktree === 'string' ? worktree : undefined;
};
