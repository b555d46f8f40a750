import type { Client } from '@nexus/client';
import type { Worktree } from '../git.ts';
import type { Keeping } from './actor.ts';
import { type ActorNeeds, createActors } from './actors.ts';
import { createAutosave } from './autosave.ts';
import { createBash } from './bash.ts';
import { dirtyPaths, type RunGit, runGit } from './dirty.ts';
import { createEdits, isAway, merged } from './edits.ts';
import type { Caller, HookEvent, Verdict } from './event.ts';
import { createLapse } from './lapse.ts';
import { createLifecycle } from './lifecycle.ts';
import { createAway, createWrites, onceInAWhile } from './memory.ts';
import { createPlaces, type Place } from './places.ts';
import { createProbe, isProbe } from './probe.ts';
import { createProjects, type Project } from './projects.ts';

export type HookNeeds = {
  /** Each call gets this many milliseconds. */
  clientFor: (at: { server: string; apiKey: string }, timeoutMs: number) => Client;
  /** Absent in a hook without a keeper. */
  keeping?: Keeping;
  run?: RunGit;
  findGit?: (dir: string) => Promise<Worktree | undefined>;
  now?: () => number;
  log?: (line: string) => void;
  /** At most this many milliseconds until the answer, whatever the servers do. */
  patienceMs?: number;
};

export type HookHandler = (event: HookEvent, caller: Caller) => Promise<Verdict>;

const callMs = 800;
const patience = { edit: 2100, end: 1000 };

/** What Nexus says to an agent's event. Never throws; in a repository that does not use Nexus it says nothing. */
export function createHookHandler(given: HookNeeds): HookHandler {
  const { keeping, run = runGit, now = Date.now, log = () => {} } = given;
  const clientFor: ActorNeeds['clientFor'] = (at) => given.clientFor(at, callMs);
  const places = createPlaces({ now, ...(given.findGit ? { findGit: given.findGit } : {}) });
  const projects = createProjects({ clientFor, now });
  const actors = createActors({ clientFor, keeping, now, log });
  const away = createAway(now);
  const writes = createWrites(now);
  const notice = (dirs: Place['link']['dirs'], text: string): string | undefined => onceInAWhile(dirs, text, now());
  const needs = { places, projects, actors, keeping, run, now, notice, away, ...writes };
  const edits = createEdits(needs);
  const bash = createBash({ ...needs, edits });
  const autosave = createAutosave(log);
  const lifecycle = createLifecycle({ ...needs, autosave });

  type InPlace = (place: Place, project: Project) => Promise<Verdict>;
  const inProject = async ({ cwd }: HookEvent, caller: Caller, act: InPlace): Promise<Verdict> => {
    const place = await places.find(cwd, caller.env);
    if (place === undefined || away.isAway(place.link.server)) return {};
    try {
      const project = await projects.resolve(place.link);
      return project === undefined ? {} : await act(place, project);
    } catch (error) {
      if (!isAway(error)) throw error;
      away.note(place.link.server);
      const text = notice(
        place.link.dirs,
        `Nexus: ${place.link.server} does not answer. Edits go on unchecked and are compared when it is back.`,
      );
      return text === undefined ? {} : { notice: text };
    }
  };

  /** An agent that went into another worktree is there for everybody: what it leaves is looked for where it works. */
  const follow = async (event: HookEvent, caller: Caller): Promise<void> => {
    const place = await places.find(event.cwd, caller.env);
    const actor = place && actors.known(event, place.link);
    if (place === undefined || actor === undefined || actor.session.metadata['worktree'] === place.worktree.toplevel) return;
    if (!away.isAway(place.link.server)) await actors.renew(event, place, actor.project, caller).catch(() => {});
  };

  const probe = createProbe({ places, projects, actors });
  const answer: HookHandler = async (event, caller) => {
    if (isProbe(event)) return probe(event, caller);
    if (event.event === 'cwd_changed') places.forget();
    if (event.event !== 'session_start' && event.event !== 'session_end') await follow(event, caller);
    switch (event.event) {
      case 'session_start':
        places.forget();
        return inProject(event, caller, (place, project) => lifecycle.start(event, place, project, caller));
      case 'prompt':
        return inProject(event, caller, (place, project) => lifecycle.prompt(event, place, project, caller));
      case 'pre_tool':
        if (event.tool?.kind === 'write') return edits.before(event, event.tool.paths, caller);
        return event.tool?.kind === 'shell' ? merged([await bash.before(event, caller), await newsFor(event, caller)]) : {};
      case 'post_tool':
        return event.tool?.kind === 'shell' ? bash.after(event, caller) : {};
      case 'subagent_start':
        return inProject(event, caller, async (place, project) => {
          await actors.ensure(event, place, project, caller);
          return {};
        });
      case 'subagent_end':
        await lifecycle.endSubagent(event);
        return {};
      case 'session_end':
        await lifecycle.endAll(event, caller);
        return {};
      case 'turn_end':
        // Behind the answer, which a hook without a keeper cannot do.
        if (keeping !== undefined) void checkpoint(event, caller);
        return hint(event, caller);
      case 'cwd_changed':
        return {};
      case 'pre_compact':
        if (keeping !== undefined) void checkpoint(event, caller);
        return {};
    }
  };

  const checkpoint = async (event: HookEvent, caller: Caller): Promise<void> => {
    try {
      const place = await places.find(event.cwd, caller.env);
      const actor = place && actors.known(event, place.link);
      if (place !== undefined && actor !== undefined && !away.isAway(place.link.server)) await autosave.save(actor, place, { left: false });
    } catch (error) {
      log(`${event.name}: no checkpoint: ${String(error)}`);
    }
  };

  /** What came with the last beats, for an agent that runs a command: edits bring it by themselves. */
  const newsFor = async (event: HookEvent, caller: Caller): Promise<Verdict> => {
    const place = await places.find(event.cwd, caller.env);
    const news = (place && actors.known(event, place.link))?.news.splice(0) ?? [];
    return news.length > 0 ? { context: news.join('\n') } : {};
  };

  /** Once, for the person: committed work that is still held. The agent is never kept from stopping. */
  const hint = async (event: HookEvent, caller: Caller): Promise<Verdict> => {
    const place = await places.find(event.cwd, caller.env);
    const actor = place && actors.known(event, place.link);
    if (place === undefined || actor === undefined || actor.hinted || !actor.committed) return {};
    const features = actor.own.holds().flatMap(({ featureSlug }) => featureSlug ?? []);
    const [slug] = features;
    if (slug === undefined || features.length > 1) return {};
    const dirty = await dirtyPaths(run, place.worktree.toplevel, 300);
    if (dirty === undefined || [...dirty.keys()].some((path) => actor.own.covers(path))) return {};
    actor.hinted = true;
    return {
      notice: `Nexus: this session still holds feature ${slug}, and its work is committed. \`nexus feature done ${slug}\` frees its paths.`,
    };
  };

  /** Nobody heard an answer that came too late: what it had to tell is told with the next one. */
  const tellAgain = async (event: HookEvent, caller: Caller, { context }: Verdict): Promise<void> => {
    const place = event.event === 'pre_tool' && context !== undefined ? await places.find(event.cwd, caller.env) : undefined;
    if (place !== undefined && context !== undefined) actors.known(event, place.link)?.news.unshift(context);
  };

  const lapse = createLapse({ now, places });
  return (event, caller) => {
    const answering = answer(event, caller).catch((error: unknown) => {
      log(`${event.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      return lapse(event, caller, error instanceof Error ? error.message : String(error));
    });
    const ms = Math.min(given.patienceMs ?? Infinity, event.event === 'session_end' ? patience.end : patience.edit);
    return within(ms, answering, () => {
      answering.then((verdict) => tellAgain(event, caller, verdict)).catch(() => {});
      return lapse(event, caller, 'the server is too slow');
    }).catch(() => ({}));
  };
}

/** The work goes on behind a late answer; in a keeper it ends by itself. */
async function within(ms: number, work: Promise<Verdict>, late: () => Promise<Verdict>): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<Verdict>((resolve, reject) => {
    timer = setTimeout(() => void late().then(resolve, reject), ms);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
