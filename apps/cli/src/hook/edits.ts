import { NexusError, NexusUnreachable } from '@nexus/client';
import { isListed } from '@nexus/paths';
import type { Actor, Keeping } from './actor.ts';
import type { Actors } from './actors.ts';
import { notIgnored, type RunGit } from './dirty.ts';
import type { Caller, HookEvent, Verdict } from './event.ts';
import { foldedNode, judge } from './guard.ts';
import { settleJournal, writeJournal } from './journal.ts';
import type { Place, Places } from './places.ts';
import type { Project, Projects } from './projects.ts';

export type EditNeeds = {
  places: Places;
  projects: Projects;
  actors: Actors;
  keeping: Keeping | undefined;
  run: RunGit;
  now: () => number;
  /** Said to the person who watches, at most once in a while. */
  notice: (dirs: Place['link']['dirs'], text: string) => string | undefined;
  /** Until when the server counts as away, so that not every edit waits for it. */
  away: { isAway: (server: string) => boolean; note: (server: string) => void };
  /** Who wrote what last, among this keeper's sessions. */
  wrote: (place: Place, paths: string[], actor: Actor) => void;
};

/** Before paths are written: each is judged in the project of the checkout that it lies in. */
export function createEdits(needs: EditNeeds) {
  const { places, projects, actors, keeping, run, now, notice, away, wrote } = needs;

  /** By checkout; what lies in none of ours is left out. */
  async function located(paths: string[], caller: Caller): Promise<{ place: Place; names: string[] }[]> {
    const groups = new Map<string, { place: Place; paths: string[] }>();
    for (const path of paths) {
      const place = await places.find(path, caller.env);
      if (place === undefined) continue;
      const group = groups.get(place.worktree.toplevel) ?? { place, paths: [] };
      groups.set(place.worktree.toplevel, group);
      group.paths.push(path);
    }
    return Promise.all(
      [...groups.values()].map(async (group) => ({ place: group.place, names: await places.names(group.paths, group.place.worktree) })),
    );
  }

  /** Verdict for writing `paths`; `quick` when nothing was asked of anyone. */
  async function before(event: HookEvent, paths: string[], caller: Caller): Promise<Verdict> {
    const verdicts: Verdict[] = [];
    for (const { place, names } of await located(paths, caller)) verdicts.push(await inPlace(event, place, names, caller));
    return merged(verdicts);
  }

  async function inPlace(event: HookEvent, place: Place, names: string[], caller: Caller): Promise<Verdict> {
    const known = actors.known(event, place.link);
    if (known !== undefined && actors.isLeased(known) && names.every((name) => known.own.covers(name))) {
      keeping?.count(known.session.id, 1, 0);
      wrote(place, names, known);
      freshen(known);
      return known.news.length > 0 ? { context: known.news.splice(0).join('\n') } : {};
    }
    const guarded = await notIgnored(run, place.worktree.toplevel, names);
    if (guarded.length === 0) return {};
    try {
      if (away.isAway(place.link.server)) throw new NexusUnreachable('It was away a moment ago.');
      return await ask(event, place, guarded, caller);
    } catch (error) {
      if (!isAway(error)) throw error;
      away.note(place.link.server);
      return offline(event, place, guarded, known);
    }
  }

  async function ask(event: HookEvent, place: Place, names: string[], caller: Caller): Promise<Verdict> {
    const project = await projects.resolve(place.link);
    if (project === undefined) return {};
    const policy = await projects.policy(project);
    const guarded = names.filter((name) => !isListed(foldedNode(name), policy.derived));
    if (guarded.length === 0) return {};
    const verdict = await withActor(event, place, project, caller, (actor) =>
      judge(actor, guarded, policy, { run, toplevel: place.worktree.toplevel, ms: 300 }),
    );
    const actor = await actors.ensure(event, place, project, caller);
    keeping?.count(actor.session.id, 1, verdict.deny === undefined ? 0 : 1);
    if (verdict.deny === undefined) wrote(place, guarded, actor);
    const settled = await settleJournal(actor, place.worktree, () => projects.policy(project), now());
    const told = [...actor.news.splice(0), settled, verdict.context].filter((text) => text !== undefined);
    return { ...verdict, ...(told.length > 0 ? { context: told.join('\n') } : {}) };
  }

  /** A session that is found to be over is opened anew, once. */
  async function withActor<T>(
    event: HookEvent,
    place: Place,
    project: Project,
    caller: Caller,
    act: (actor: Actor) => Promise<T>,
  ): Promise<T> {
    const actor = await actors.ensure(event, place, project, caller);
    try {
      return await act(actor);
    } catch (error) {
      if (!(error instanceof NexusError && error.code === 'SESSION_LOST')) throw error;
      keeping?.forget(actor.session.id);
      return act(await actors.ensure(event, place, project, caller));
    }
  }

  /** Without the server nobody can be asked: let through and remembered, unless the project is strict. */
  function offline(event: HookEvent, place: Place, names: string[], known: Actor | undefined): Verdict {
    const { server, dirs } = place.link;
    if (projects.lastPolicy(place.link).edits === 'strict') {
      return {
        deny: `${names[0] ?? 'The path'} was not checked: ${server} does not answer, and this project allows no unchecked edits (policy strict). \`nexus status\` tells when it is back.`,
      };
    }
    writeJournal(place.worktree, known?.agentSessionId ?? event.sessionId, names, now());
    const text = notice(dirs, `Nexus: ${server} does not answer. Edits go on unchecked and are compared when it is back.`);
    return text === undefined ? {} : { notice: text };
  }

  /** Now and then what is known is read again, behind the answer. */
  function freshen(actor: Actor): void {
    if (now() - actor.own.readAt() > 20_000) actor.own.read().catch(() => actor.own.doubt());
  }

  return { before, located, withActor };
}

export type Edits = ReturnType<typeof createEdits>;

export const isAway = (error: unknown): boolean =>
  error instanceof NexusUnreachable || (error instanceof NexusError && error.status === 503);

export function merged(verdicts: Verdict[]): Verdict {
  const join = (key: keyof Verdict): Verdict => {
    const texts = verdicts.flatMap((verdict) => verdict[key] ?? []);
    return texts.length > 0 ? { [key]: texts.join('\n') } : {};
  };
  return { ...join('deny'), ...join('context'), ...join('notice') };
}
