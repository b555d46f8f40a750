import { type Client, NexusError } from '@nexus/client';
import type { Heartbeats } from '@nexus/contract';
import { clock, leaseOf, writeLease } from './lease-file.ts';
import type { Entry, Registry } from './registry.ts';
import { fitting, type Survey } from './survey.ts';

type BeatNeeds = {
  registry: Registry;
  clientFor: (entry: Entry, timeoutMs: number) => Client;
  drop: (entry: Entry, why: string) => void;
  beatSeconds: number;
  survey: Survey;
  log: (line: string) => void;
};

/** Beats for all kept sessions: one call for each server and key, at its own pace. */
export type Beats = { add: (entry: Entry) => void; stop: () => void };

type Group = { key: string; timer: NodeJS.Timeout | undefined; running: boolean; again: boolean; failures: number; refusals: number };

/** The contract's limit for one batch. */
const batchSize = 500;
/** A beat brings a few at a time; an agent that waits hears of more than these from its inbox. */
const MESSAGES_KEPT = 20;
/** A server that was restored from a backup may refuse a key for a moment. */
const refusalsBeforeGivingUp = 3;

export function createBeats({ registry, clientFor, drop, beatSeconds, survey, log }: BeatNeeds): Beats {
  const groups = new Map<string, Group>();
  const members = (group: Group): Entry[] => registry.all().filter((entry) => entry.state === 'kept' && groupKey(entry) === group.key);

  const schedule = (group: Group, ms: number): void => {
    clearTimeout(group.timer);
    group.timer = setTimeout(() => void beat(group), ms);
  };

  /** A third of the shortest lease at most: two beats may get lost and nothing happens. */
  const pace = (entries: Entry[]): number => {
    const third = Math.min(...entries.map((entry) => (entry.leaseSeconds ?? Infinity) / 3));
    return Math.min(beatSeconds * (0.9 + Math.random() * 0.2), third) * 1000;
  };

  const beat = async (group: Group): Promise<void> => {
    if (group.running) {
      group.again = true;
      return;
    }
    const entries = members(group);
    if (entries.length === 0) return void groups.delete(group.key);
    group.running = true;
    group.again = false;
    try {
      for (let from = 0; from < entries.length; from += batchSize) await beatBatch(entries.slice(from, from + batchSize));
      if (group.failures > 0) log(`beating again for ${entries.length} session(s)`);
      group.failures = 0;
      group.refusals = 0;
    } catch (error) {
      group.failures += 1;
      group.refusals = error instanceof NexusError && error.status === 401 ? group.refusals + 1 : 0;
      const text = error instanceof Error ? error.message : String(error);
      if (group.failures === 1) log(`no beat: ${text}`);
      for (const entry of entries) entry.problem = text;
      if (group.refusals >= refusalsBeforeGivingUp) for (const entry of entries) drop(entry, 'the key is refused');
    } finally {
      group.running = false;
    }
    const left = members(group);
    if (left.length === 0) return void groups.delete(group.key);
    const retry = 500 * 2 ** Math.min(group.failures - 1, 6) * (0.5 + Math.random() / 2);
    schedule(group, group.again ? 0 : group.failures > 0 ? Math.min(pace(left), retry) : pace(left));
  };

  const beatBatch = async (entries: Entry[]): Promise<void> => {
    const [first] = entries;
    if (first === undefined) return;
    const sent = clock();
    const timeoutMs = Math.max(1000, Math.min(10_000, pace(entries)));
    const active = entries.filter(({ activity }) => activity.edits + activity.denials > 0);
    const activity = active.map((entry) => ({ session: entry.sessionId, ...entry.activity }));
    const dirty = fitting(entries.flatMap(({ sessionId: session, dirty: report }) => (report ? [{ session, ...report }] : [])));
    const body = {
      sessions: entries.map((entry) => entry.sessionId),
      ...(activity.length > 0 ? { activity } : {}),
      ...(dirty.length > 0 ? { dirty } : {}),
    };
    const answer = await clientFor(first, timeoutMs).heartbeats({ body });
    for (const [index, { activity: counted }] of active.entries()) {
      counted.edits -= activity[index]?.edits ?? 0;
      counted.denials -= activity[index]?.denials ?? 0;
    }
    for (const entry of entries) if (dirty.some(({ session }) => session === entry.sessionId)) entry.dirty = undefined;
    const byId = new Map(answer.sessions.map((session) => [session.id, session]));
    for (const entry of entries) {
      const session = byId.get(entry.sessionId);
      if (session !== undefined && registry.has(entry)) took(entry, session, sent);
    }
    survey(entries);
  };

  const took = (entry: Entry, session: Heartbeats['sessions'][number], sent: ReturnType<typeof clock>): void => {
    if (session.state !== 'ok') return drop(entry, `the server calls it ${session.state}`);
    entry.lastBeat = new Date(sent.wall).toISOString();
    entry.problem = session.degraded ? 'the lease store is away; nothing expires' : null;
    entry.leaseSeconds = session.leaseSeconds;
    for (const hold of session.lost)
      log(`session ${entry.sessionId} lost ${hold.featureSlug ?? 'its ad hoc claims'} (fence ${hold.fence}): ${hold.reason}`);
    entry.lost.push(...session.lost);
    // A server of before requests tells none.
    entry.requests = session.requests ?? [];
    entry.patches = session.patches ?? [];
    entry.messages = [...new Map([...entry.messages, ...(session.messages ?? [])].map((message) => [message.id, message])).values()].slice(
      -MESSAGES_KEPT,
    );
    entry.lease = leaseOf(entry.sessionId, sent, session.leaseSeconds);
    // Without the lease store holds may be missing from the answer.
    if (!session.degraded) entry.beat = { at: sent.wall, holds: session.holds };
    if (entry.gitDir !== undefined) writeLease(entry.gitDir, entry.lease);
  };

  return {
    add: (entry) => {
      const key = groupKey(entry);
      const group = groups.get(key) ?? { key, timer: undefined, running: false, again: false, failures: 0, refusals: 0 };
      groups.set(key, group);
      // A moment's wait lets sessions that come together share one call.
      schedule(group, 50);
    },
    stop: () => {
      for (const group of groups.values()) clearTimeout(group.timer);
      groups.clear();
    },
  };
}

const groupKey = ({ server, apiKey }: Entry): string => `${server} ${apiKey}`;
