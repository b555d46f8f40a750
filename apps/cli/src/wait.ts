import { followFeed, NexusError, NexusUnreachable } from '@nexus/client';
import type { JoinQueueBody, Wait } from '@nexus/contract';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidArgumentError } from 'commander';
import type { Context } from './context.ts';
import { CliError, interrupted } from './errors.ts';
import { clean, clockTime, fromNow, shortId } from './text.ts';

/** `--wait` alone: as long as it takes, which the server bounds by a day. */
const mostSeconds = 86_400;
/** The feed tells at once; this is for when it cannot, and beats for a session that no keeper keeps. */
const pollMs = 5000;

const units: Record<string, number> = { s: 1, m: 60, h: 3600 };

/** `90`, `90s`, `10m` or `2h` in seconds. */
export function duration(text: string): number {
  const [, amount, unit = 's'] = /^(\d{1,6})([smh])?$/.exec(text) ?? [];
  const seconds = Number(amount) * (units[unit] ?? NaN);
  if (!(seconds >= 1 && seconds <= mostSeconds)) throw new InvalidArgumentError('Give 30s, 10m or 2h; a day at most.');
  return seconds;
}

export const waitOption = ['--wait [duration]', 'wait until it is free: 30s, 10m, 2h; without a duration as long as it takes'] as const;
export type WaitOption = { wait?: number | true };

/** Refusals that pass when somebody lets go. */
const passes = new Set(['FILE_ALREADY_CLAIMED', 'QUEUED_AHEAD', 'INVALID_STATUS_TRANSITION']);

/** `attempt`; where that is refused and `--wait` is given, a place in the queue, and `attempt` again once that is granted. */
export async function orWait<T>(
  context: Context,
  { wait }: WaitOption,
  session: string,
  wanted: Pick<JoinQueueBody, 'featureSlug' | 'paths' | 'reason'>,
  attempt: () => Promise<T>,
): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (wait === undefined || !(error instanceof NexusError && passes.has(error.code))) throw error;
    await waitInLine(context, session, { ...wanted, seconds: wait === true ? mostSeconds : wait });
    return attempt();
  }
}

/** Returns when the place is granted; throws when it ends otherwise. Ctrl-C leaves the queue. */
async function waitInLine(context: Context, session: string, body: JoinQueueBody): Promise<void> {
  const { io, out } = context;
  const { id: projectId, client } = await context.project();
  const joined = await client.joinQueue({ projectId, body }, { session });
  if (joined.state === 'waiting') out.note(describeWait(joined));
  try {
    settle(joined.state === 'waiting' ? await ended(context, joined) : joined);
  } catch (error) {
    if (!io.signal.aborted) throw error;
    // The client of this command ends with Ctrl-C; the place must not stay.
    const leaving = client.with({ fetch: (request) => fetch(request), retries: 0, timeout: 2000 });
    await leaving.leaveQueue({ projectId, waitId: joined.id }).catch(() => undefined);
    throw interrupted();
  }
}

/** The place once it is over: the feed wakes, and a look now and then makes up for a feed that is cut. */
async function ended({ io, out, project }: Context, { id: waitId, sessionId }: Wait): Promise<Wait> {
  const { id: projectId, client } = await project();
  const { server, apiKey = '' } = client.options;
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, io.signal]);
  let wake = new AbortController();
  const feed = followFeed({
    server,
    apiKey,
    projectId,
    signal,
    onEvent: ({ type, data }) => {
      if (type === 'wait_ended' && data['waitId'] === waitId) wake.abort();
    },
    // Whatever happened before the feed began.
    onJoined: () => wake.abort(),
  }).catch(() => undefined);
  try {
    let told = '';
    for (;;) {
      const wait = await look();
      if (wait !== undefined && wait.state !== 'waiting') return wait;
      const text = wait === undefined ? told : describeWait(wait);
      if (text !== told && told !== '') out.note(text);
      told = text;
      await sleep(pollMs, undefined, { signal: AbortSignal.any([wake.signal, io.signal]) }).catch(() => undefined);
      if (io.signal.aborted) throw interrupted();
      wake = new AbortController();
    }
  } finally {
    stop.abort();
    await feed;
  }

  /** Undefined while the server is away: the place is in its database and stays. */
  async function look(): Promise<Wait | undefined> {
    try {
      await client.heartbeat({ projectId, sessionId });
      return await client.getWait({ projectId, waitId });
    } catch (error) {
      const away = error instanceof NexusUnreachable || (error instanceof NexusError && error.status >= 500);
      if (!away || io.signal.aborted) throw error;
      return undefined;
    }
  }
}

function settle({ state, note }: Wait): void {
  if (state === 'granted') return;
  const why = {
    waiting: 'It still waits.',
    left: 'This session left the queue: it claimed something else, or gave its place up.',
    expired: 'Nobody let go in time. Wait longer (--wait), or pick other work (nexus feature pick-next).',
    lost: 'This session is over, and its place with it. Open a new one by trying again.',
    refused: clean(note ?? 'It cannot be had any more.'),
  }[state];
  throw new CliError('conflict', `WAIT_${state.toUpperCase()}`, why);
}

/** What it waits for, and for whom. */
export function describeWait({ featureSlug, paths, conflicts, heldBy, behind, until }: Wait): string {
  const what = featureSlug === null ? paths.map(clean).join(', ') : clean(featureSlug);
  const holders = conflicts.map(
    ({ heldPath, claimedBy }) =>
      `  ${clean(heldPath)} is held by ${clean(claimedBy.engineerName)} (${clean(claimedBy.agent)}, session ${shortId(claimedBy.sessionId)})${
        claimedBy.featureSlug === null ? '' : ` for ${clean(claimedBy.featureSlug)}`
      }`,
  );
  const active = holders.length === 0 && heldBy ? [`  ${clean(heldBy.engineerName)} (${clean(heldBy.agent)}) works on it`] : [];
  const ahead = behind.map(
    (other) =>
      `  behind ${clean(other.engineerName)} (${clean(other.agent)}), who waits for ${clean(other.featureSlug ?? 'paths')} since ${clockTime(other.since)}`,
  );
  return [
    `Waiting for ${what}, until ${clockTime(until)} (${fromNow(until)}). Ctrl-C leaves the queue.`,
    ...holders,
    ...active,
    ...ahead,
  ].join('\n');
}
