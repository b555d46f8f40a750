import { type LeaseStore, LeaseStoreUnavailable } from '../../src/engines/leases/leases.ts';
import { createMemoryLeases } from '../../src/engines/leases/memory.ts';
import type { Random } from '../lib/random.ts';
import type { Being, Scheduler } from './scheduler.ts';

export type Times = { ttlMs: number; graceMs: number; maxStepMs: number };

type Name = Exclude<keyof LeaseStore, 'ping' | 'close'>;
type Done = { at: number; name: Name; args: unknown[] };
const names: Name[] = ['version', 'apply', 'load', 'check', 'open', 'beat', 'stale', 'condemn', 'list'];

/**
 * One lease store under several servers, which loses calls and answers, is away, is flushed, or is set back by its last few
 * calls. It knows when each session was renewed, apart from the store's own reckoning, and says who was condemned too early.
 */
export function createSimulatedLeases({
  scheduler,
  random,
  times,
  broken,
}: {
  scheduler: Scheduler;
  random: Random;
  times: Times;
  broken: (what: string) => void;
}) {
  const trouble = { loss: 0, away: false, faults: 0 };
  let leap = 0;
  const leaps: number[] = [];
  let past: Done[] = [];
  let replayed: number | undefined;
  let renewed = new Map<string, number>();
  const condemned = new Set<string>();
  const fresh = () =>
    createMemoryLeases({ graceMs: times.graceMs, maxStepMs: times.maxStepMs, now: () => replayed ?? scheduler.now() + leap });
  let inner = fresh();

  async function run({ at, name, args }: Done): Promise<unknown> {
    const call = inner[name] as (...all: unknown[]) => Promise<unknown>;
    const answer = await call(...args);
    learn(at, name, args, answer);
    return answer;
  }

  function learn(at: number, name: Name, args: unknown[], answer: unknown) {
    const renew = (sessions: string[]) => sessions.forEach((session) => renewed.set(session, at));
    if (name === 'beat')
      renew((answer as Array<{ session: string; state: string }>).filter(({ state }) => state === 'ok').map(({ session }) => session));
    if (name === 'open' && answer === true) renew([args[1] as string]);
    if ((name === 'apply' || name === 'load') && answer === true) {
      const { sessionsOpened } = args[name === 'apply' ? 3 : 2] as { sessionsOpened: Array<{ id: string }> };
      renew(sessionsOpened.map(({ id }) => id));
    }
    if (name !== 'condemn' || answer !== 'done') return;
    const [, session, options] = args as [string, string, { dead?: boolean } | undefined];
    condemned.add(session);
    const since = renewed.get(session) ?? -Infinity;
    // Each leap of the machine's clock may cost a session one step of the logical one, and no more.
    const silentFor = at - since + times.maxStepMs * leaps.filter((leapt) => leapt >= since).length;
    if (!options?.dead && silentFor <= times.ttlMs + times.graceMs) broken(`${session} was condemned ${silentFor} ms after it was renewed`);
  }

  async function call(by: Being, name: Name, args: unknown[]): Promise<unknown> {
    const lost = () => {
      const is = trouble.away || random.chance(trouble.loss);
      if (is) trouble.faults += 1;
      return is;
    };
    return scheduler.gate(by, name, async () => {
      if (lost()) throw new LeaseStoreUnavailable('The call was lost.');
      const done = { at: scheduler.now(), name, args: structuredClone(args) };
      past.push(done);
      const answer = await run(done);
      // It was done, and nobody is told.
      if (random.chance(trouble.loss)) throw new LeaseStoreUnavailable('The answer was lost.');
      return answer;
    });
  }

  return {
    trouble,
    for: (by: Being): LeaseStore =>
      ({
        ...Object.fromEntries(names.map((name) => [name, (...args: unknown[]) => call(by, name, args)])),
        ping: () => Promise.resolve(),
        close: () => Promise.resolve(),
      }) as unknown as LeaseStore,
    /** The store itself, for whoever looks from outside. */
    itself: () => inner,
    wasCondemned: (session: string) => condemned.has(session),
    flush() {
      inner = fresh();
      past = [];
    },
    async setBack(calls: number) {
      past = past.slice(0, Math.max(0, past.length - calls));
      inner = fresh();
      renewed = new Map();
      for (const done of past) {
        replayed = done.at + leap;
        await run(done);
      }
      replayed = undefined;
    },
    leap(ms: number) {
      leap += ms;
      leaps.push(scheduler.now());
    },
  };
}
