import { type Client, NexusError } from '@nexus/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { version } from '../io.ts';
import { isAlive } from '../processes.ts';
import { createBeats } from './beats.ts';
import { keepWork } from '../wip/keep.ts';
import { removeLease } from './lease-file.ts';
import type { KeeperAnswer, KeeperRequest } from './protocol.ts';
import type { Entry, Registry } from './registry.ts';
import type { Survey } from './survey.ts';

export type KeeperNeeds = {
  registry: Registry;
  clientFor: (entry: Pick<Entry, 'server' | 'apiKey'>, timeoutMs: number) => Client;
  log: (line: string) => void;
  /** Between beats, before jitter; a third of the lease where that is shorter. */
  beatSeconds: number;
  /** Absent: nobody looks what is uncommitted. */
  survey?: Survey;
  /** Between looks at the processes: with one report, a death is known within 5 s. */
  checkMs: number;
  /** With nothing to keep for this long, `done` resolves. */
  idleMs: number;
  machine: string;
};

export type Keeper = {
  handle: (request: KeeperRequest) => KeeperAnswer;
  /** Resolves when the keeper was asked to stop, or had nothing to keep for long. */
  done: Promise<string>;
  /** Stops beating and looking. Registrations stay on disk. */
  stop: () => void;
};

/** Deaths are known within 5 s: two for the look, two for this. */
const keepLeftMs = 2000;

export function createKeeper({ registry, clientFor, log, beatSeconds, survey = () => {}, checkMs, idleMs, machine }: KeeperNeeds): Keeper {
  const stopped = new AbortController();
  let finish = (_why: string): void => {};
  const done = new Promise<string>((resolve) => {
    finish = resolve;
  });

  const drop = (entry: Entry, why: string): void => {
    if (!registry.drop(entry)) return;
    if (entry.gitDir !== undefined) removeLease(entry.gitDir, entry.sessionId);
    log(`session ${entry.sessionId} dropped: ${why}`);
  };
  const beats = createBeats({ registry, clientFor, drop, beatSeconds, survey, log });

  const bury = async (dead: Entry[]): Promise<void> => {
    for (const entry of dead) {
      entry.state = 'died';
      entry.problem = null;
      log(`session ${entry.sessionId}: process ${entry.pid} is gone`);
      if (entry.gitDir !== undefined) removeLease(entry.gitDir, entry.sessionId);
    }
    // First what they left, while it is theirs: children end with their parents. Git on a huge tree must not hold up the report.
    await Promise.race([Promise.all(dead.map(keepLeft)), sleep(keepLeftMs, undefined, { ref: false })]);
    for (const entry of dead) void reportDeath(entry);
  };

  const keepLeft = async (entry: Entry): Promise<void> => {
    const { projectId, sessionId, gitDir, worktree } = entry;
    if (gitDir === undefined || worktree === undefined) return;
    const at = { toplevel: worktree, gitDir, machine };
    try {
      await keepWork({ client: clientFor(entry, 5000), projectId, sessionId, at, type: 'crash_recovery', left: true });
    } catch (error) {
      log(`session ${sessionId}: not all that it left was kept: ${String(error)}`);
    }
  };

  /** Until the server has answered: while it is away nobody else could take the paths either, nor was anything kept there. */
  const reportDeath = async (entry: Entry): Promise<void> => {
    for (let wait = 250; registry.has(entry) && !stopped.signal.aborted; wait = Math.min(wait * 2, 10_000)) {
      try {
        if (entry.problem !== null) await keepLeft(entry);
        await clientFor(entry, 5000).endSession(
          { projectId: entry.projectId, sessionId: entry.sessionId, body: { reason: 'died' } },
          { session: undefined },
        );
        return drop(entry, 'its death is reported');
      } catch (error) {
        if (isFinal(error)) return drop(entry, `the server will not hear of its death: ${String(error)}`);
        entry.problem = error instanceof Error ? error.message : String(error);
      }
      await sleep(wait * (0.5 + Math.random() / 2), undefined, { signal: stopped.signal }).catch(() => {});
    }
  };

  let idleSince = Date.now();
  const look = (): void => {
    const entries = registry.all();
    // A death that no server wants to hear of keeps it no longer: it is on disk, and the next keeper's to report.
    if (entries.some(({ state }) => state === 'kept')) idleSince = Date.now();
    else if (Date.now() - idleSince >= idleMs) finish('nothing to keep');
    const dead = entries.filter((entry) => entry.state === 'kept' && !isAlive(entry));
    if (dead.length > 0) void bury(dead);
  };
  const timer = setInterval(look, checkMs);
  for (const entry of registry.all()) beats.add(entry);
  look();

  return {
    done,
    stop: () => {
      stopped.abort();
      clearInterval(timer);
      beats.stop();
    },
    handle: (request) => {
      switch (request.op) {
        case 'register': {
          const before = registry.get(request.sessionId);
          // Every command registers its session anew; that must not cost a beat each.
          if (
            before?.state === 'kept' &&
            before.pid === request.pid &&
            before.startTime === request.startTime &&
            before.apiKey === request.apiKey &&
            (request.worktree === undefined || before.worktree === request.worktree)
          )
            return ok();
          beats.add(registry.add(request));
          idleSince = Date.now();
          log(`session ${request.sessionId} kept for process ${request.pid}`);
          return ok();
        }
        case 'forget': {
          const entry = registry.get(request.sessionId);
          if (entry) drop(entry, 'it was ended');
          return ok();
        }
        case 'status':
          return { ...ok(), sessions: registry.all().map(shown) };
        case 'stop':
          finish('asked to stop');
          return ok();
      }
    },
  };
}

const ok = (): KeeperAnswer => ({ ok: true, pid: process.pid, version });

const shown = ({
  server,
  projectId,
  sessionId,
  pid,
  startTime,
  state,
  lastBeat,
  problem,
}: Entry): NonNullable<KeeperAnswer['sessions']>[number] => ({
  server,
  projectId,
  sessionId,
  pid,
  startTime,
  state,
  lastBeat,
  problem,
});

const isFinal = (error: unknown): boolean => error instanceof NexusError && error.status < 500 && error.status !== 429;
