import type { Client } from '@nexus/client';
import type { Session } from '@nexus/contract';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Dirs } from './config.ts';
import { CliError } from './errors.ts';
import { readJson, writeJson } from './files.ts';
import type { Worktree } from './git.ts';
import type { Identity } from './identity.ts';
import { type Io, version } from './io.ts';
import { callKeeper, ensureKeeper } from './keeper/call.ts';
import { keeperFiles } from './keeper/protocol.ts';
import { machineId, shortHash } from './machine.ts';

/** The session of this terminal or agent in one project. */
export type Sessions = {
  /** What to send as `X-Nexus-Session`; opens nothing, so that a lost session stays lost for release and done. */
  acting: () => string;
  /** The id that this terminal had last, when it is known. */
  rememberedId: () => string | undefined;
  /** The id of its live session, also when a hook opened that; else the one it had last. */
  knownId: () => Promise<string | undefined>;
  /** Gets the live session, or opens a new one; `before` is the lost one that it replaces. */
  open: (options?: OpenOptions) => Promise<{ session: Session; before: string | undefined }>;
  /** The id to pick and claim with: opens a session where none is live. */
  openId: () => Promise<string>;
  /** Ends the remembering, here and in the keeper. */
  forget: () => Promise<void>;
};
export type OpenOptions = { parentId?: string | undefined; metadata?: Record<string, unknown> | undefined };

type Needs = {
  io: Io;
  dirs: Dirs;
  identity: Identity;
  client: Client;
  projectId: string;
  worktree: Worktree | undefined;
  /** Told once when a new session took the place of one that was lost or ended. */
  onReplaced: (before: string) => void;
  onUnkept: () => void;
};

const StateFile = z.object({ sessionId: z.string(), key: z.string() });

export function createSessions({ io, dirs, identity, client, projectId, worktree, onReplaced, onUnkept }: Needs): Sessions {
  const { server, apiKey = '' } = client.options;
  const name = identity.kind === 'fixed' ? '' : `${identity.agent}:${identity.agentSessionId}`;
  const path = join(dirs.state, 'sessions', `${shortHash(`${server}\n${projectId}\n${name}`)}.json`);
  // Its beginning names the key, whichever secret it has by now.
  const key = shortHash(apiKey.slice(0, 16));

  /** Another engineer's key in the same terminal is another session. */
  const rememberedId = (): string | undefined => {
    if (identity.kind === 'fixed') return identity.sessionId;
    const state = StateFile.safeParse(readJson(path));
    return state.success && state.data.key === key ? state.data.sessionId : undefined;
  };

  const keep = async ({ id: sessionId, leaseSeconds }: Session): Promise<boolean> => {
    if (identity.kind === 'fixed' || identity.watch === undefined) return false;
    const registration = {
      server,
      apiKey,
      projectId,
      sessionId,
      ...identity.watch,
      leaseSeconds,
      gitDir: worktree?.gitDir,
      worktree: worktree?.toplevel,
    };
    return (await callKeeper(keeperFiles(dirs.runtime).socket, { op: 'register', ...registration }))?.ok === true;
  };

  const open: Sessions['open'] = async ({ parentId, metadata } = {}) => {
    if (identity.kind === 'fixed')
      throw new CliError('usage', 'USAGE', 'NEXUS_SESSION names the session already. Unset it to open one here.');
    const before = rememberedId();
    const keeper = identity.watch !== undefined && (await ensureKeeper(io));
    const session = await client.openSession({
      projectId,
      body: {
        agent: identity.agent,
        agentSessionId: identity.agentSessionId,
        keeper,
        ...(parentId === undefined ? {} : { parentId }),
        metadata: {
          ...(worktree?.branch === undefined ? {} : { gitBranch: worktree.branch }),
          workingDir: io.cwd,
          ...(worktree === undefined ? {} : { worktree: worktree.toplevel }),
          machine: machineId(dirs.state),
          ...(identity.watch === undefined ? {} : { pid: identity.watch.pid }),
          clientVersion: version,
          ...metadata,
        },
      },
    });
    writeJson(path, { sessionId: session.id, key }, { secret: true });
    if (before !== undefined && before !== session.id) {
      await callKeeper(keeperFiles(dirs.runtime).socket, { op: 'forget', sessionId: before });
      onReplaced(before);
    }
    const kept = keeper && (await keep(session));
    if (!kept) onUnkept();
    return { session, before: before === session.id ? undefined : before };
  };

  const knownId = async (): Promise<string | undefined> => {
    const remembered = rememberedId();
    if (remembered !== undefined || name === '') return remembered;
    const active = await client.activeSessions({ projectId });
    return active.find(({ session }) => `${session.agent}:${session.agentSessionId}` === name)?.session.id;
  };

  return {
    rememberedId,
    knownId,
    acting: () => rememberedId() ?? name,
    open,
    openId: async () => (identity.kind === 'fixed' ? identity.sessionId : (await open()).session.id),
    forget: async () => {
      const sessionId = rememberedId();
      if (sessionId !== undefined) await callKeeper(keeperFiles(dirs.runtime).socket, { op: 'forget', sessionId });
      rmSync(path, { force: true });
    },
  };
}
