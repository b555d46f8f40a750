import type { Client } from '@nexus/client';
import type { Heartbeat, OpenHold, Session } from '@nexus/contract';
import { findIdentity } from '../identity.ts';
import { version } from '../io.ts';
import { machineId } from '../machine.ts';
import { type Actor, type Keeping, lostNews, replaced } from './actor.ts';
import type { Caller, HookEvent } from './event.ts';
import { requestNews } from './asked.ts';
import { messageNews } from './heard.ts';
import { patchNews } from './offered.ts';
import { createOwn } from './own.ts';
import type { Place, ProjectLink } from './places.ts';
import type { Project } from './projects.ts';

export type ActorNeeds = {
  clientFor: (link: Pick<ProjectLink, 'server' | 'apiKey'>) => Client;
  keeping: Keeping | undefined;
  now: () => number;
  log: (line: string) => void;
};

export type Actors = {
  /** Its session is opened where it is not; single flight, as an agent's hooks run side by side. */
  ensure: (event: HookEvent, place: Place, project: Project, caller: Caller) => Promise<Actor>;
  /** The same, asked of the server: what is known here may be over since the machine slept. */
  renew: Actors['ensure'];
  /** Only what is open and kept: costs no call. */
  known: (event: Pick<HookEvent, 'sessionId' | 'subagentId'>, link: ProjectLink) => Actor | undefined;
  all: (sessionId: string) => Actor[];
  /** Of the same agent process, ended by `/clear`. */
  cleared: (pid: number | undefined, project: Project) => Actor | undefined;
  drop: (actor: Actor) => void;
  isLeased: (actor: Actor) => boolean;
  clientFor: ActorNeeds['clientFor'];
};

export function createActors({ clientFor, keeping, now, log }: ActorNeeds): Actors {
  const actors = new Map<string, Actor>();
  const opening = new Map<string, Promise<Actor>>();
  const idOf = ({ sessionId, subagentId }: Pick<HookEvent, 'sessionId' | 'subagentId'>): string =>
    (subagentId === undefined ? sessionId : `${sessionId}/${subagentId}`).slice(0, 200);
  const isKept = (actor: Actor): boolean => keeping !== undefined && keeping.kept(actor.session.id) !== undefined;

  const collectLost = (actor: Actor, lost: Heartbeat['lost']): void => {
    for (const one of lost) {
      actor.own.doubt();
      actor.news.push(lostNews(one));
    }
  };

  const refresh = (actor: Actor): void => {
    const kept = keeping?.kept(actor.session.id);
    if (kept === undefined) return;
    collectLost(actor, kept.takeLost());
    actor.news.push(...requestNews(actor, kept.requests), ...messageNews(actor, kept.messages), ...patchNews(actor, kept.patches));
    const fences = (holds: OpenHold[]): string =>
      holds
        .map(({ fence }) => fence)
        .sort((a, b) => a - b)
        .join();
    // A hold came or went by another way than these hooks.
    if (kept.beatAt > actor.own.knownAt() && fences(kept.holds) !== fences(actor.own.holds())) actor.own.doubt();
  };

  const open = async (event: HookEvent, place: Place, project: Project, caller: Caller): Promise<Actor> => {
    const { subagentId: _child, ...parentEvent } = event;
    const parent = event.subagentId === undefined ? undefined : await ensure(parentEvent, place, project, caller);
    const key = `${project.key} ${idOf(event)}`;
    const before = actors.get(key);
    const client = clientFor(project);
    const machine = machineId(project.dirs.state);
    const env = { CLAUDE_CODE_SESSION_ID: event.sessionId, CLAUDE_PID: caller.env['CLAUDE_PID'] };
    const identity = findIdentity({ env, pid: caller.pid, machine: () => machine, place: place.worktree.toplevel });
    const watch = identity.kind === 'own' ? identity.watch : undefined;
    const { branch, toplevel, gitDir } = place.worktree;
    const session = await client.openSession({
      projectId: project.projectId,
      body: {
        agent: event.agent,
        agentSessionId: idOf(event),
        keeper: keeping !== undefined && watch !== undefined,
        ...(parent === undefined ? {} : { parentId: parent.session.id }),
        metadata: {
          ...(branch === undefined ? {} : { gitBranch: branch }),
          workingDir: event.cwd,
          worktree: toplevel,
          machine,
          ...(watch === undefined ? {} : { pid: watch.pid }),
          clientVersion: version,
        },
      },
    });
    if (watch !== undefined) {
      const { server, apiKey, projectId } = project;
      keeping?.keep({
        server,
        apiKey,
        projectId,
        sessionId: session.id,
        ...watch,
        leaseSeconds: session.leaseSeconds,
        gitDir,
        worktree: toplevel,
      });
    }
    const actor =
      before?.session.id === session.id
        ? Object.assign(before, { session, client })
        : fresh(project, session, idOf(event), parent, client, watch?.pid);
    if (before !== undefined && before !== actor) {
      actor.turn = before.turn;
      actor.news.push(...before.news, replaced(before.session.id, session));
    }
    // Agents that were killed say no goodbye.
    if (actors.size > 500) for (const [old, one] of actors) if (!isKept(one)) actors.delete(old);
    actors.set(key, actor);
    log(`${event.agent} ${idOf(event)} acts in session ${session.id}`);
    return actor;
  };

  const fresh = (
    project: Project,
    session: Session,
    agentSessionId: string,
    parent: Actor | undefined,
    client: Client,
    pid: number | undefined,
  ): Actor => {
    const actor: Actor = {
      project,
      session,
      agentSessionId,
      parent,
      client,
      own: createOwn({
        client: () => actor.client,
        projectId: project.projectId,
        sessionId: () => actor.session.id,
        now,
        onLost: (lost) => collectLost(actor, lost),
      }),
      pid,
      turn: 0,
      denied: new Map(),
      told: new Set(),
      news: [],
      committed: false,
      hinted: false,
      cleared: false,
    };
    return actor;
  };

  const ensure: Actors['ensure'] = (event, place, project, caller) => {
    const key = `${project.key} ${idOf(event)}`;
    const found = actors.get(key);
    if (found !== undefined && isKept(found)) {
      refresh(found);
      return Promise.resolve(found);
    }
    return renew(event, place, project, caller);
  };

  const renew: Actors['renew'] = (event, place, project, caller) => {
    const key = `${project.key} ${idOf(event)}`;
    const running = opening.get(key) ?? open(event, place, project, caller).finally(() => opening.delete(key));
    opening.set(key, running);
    return running;
  };

  return {
    ensure,
    renew,
    known: (event, { server, wanted, apiKey }) => {
      const found = [...actors.values()].find(
        ({ agentSessionId, project }) =>
          agentSessionId === idOf(event) && project.server === server && project.wanted === wanted && project.apiKey === apiKey,
      );
      if (found === undefined || !isKept(found)) return undefined;
      refresh(found);
      return found;
    },
    all: (sessionId) =>
      [...actors.values()].filter(({ agentSessionId }) => agentSessionId === sessionId || agentSessionId.startsWith(`${sessionId}/`)),
    cleared: (pid, project) =>
      [...actors.values()].find((actor) => actor.cleared && pid !== undefined && actor.pid === pid && actor.project.key === project.key),
    drop: (actor) => {
      for (const [key, one] of actors) if (one === actor) actors.delete(key);
    },
    isLeased: (actor) => keeping?.kept(actor.session.id)?.leaseValid === true,
    clientFor,
  };
}
