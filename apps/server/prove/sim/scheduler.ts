import type { Random } from '../lib/random.ts';

/** Somebody that can die: then nothing that waits in its name ever goes on. */
export type Being = { name: string; alive: boolean };

type Waiting = { by: Being; label: string; due: number; mayGo: () => boolean; go: () => Promise<void> };

export type Scheduler = ReturnType<typeof createScheduler>;

/**
 * Decides what happens next. Everything that a server or an agent does to the world outside waits at a gate; one gate is
 * opened at a time, by chance, and time stands still in between. So a seed repeats a run.
 */
export function createScheduler(random: Random) {
  let waiting: Waiting[] = [];
  let now = 0;
  let steps = 0;
  let trace = 0n;

  /** Runs `work` when chance comes to it, from `after` milliseconds on, while `mayGo`. */
  function gate<T>(
    by: Being,
    label: string,
    work: () => T | Promise<T>,
    { after = 0, mayGo = () => true }: { after?: number; mayGo?: () => boolean } = {},
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const go = async () => {
        try {
          resolve(await work());
        } catch (error) {
          reject(error as Error);
        }
      };
      waiting.push({ by, label, due: now + after, mayGo, go });
    });
  }

  /** One decision; false when there is none left to make. */
  async function step(): Promise<boolean> {
    waiting = waiting.filter(({ by }) => by.alive);
    const open = waiting.filter(({ mayGo }) => mayGo());
    if (open.length === 0) return false;
    const ready = open.filter(({ due }) => due <= now);
    if (ready.length === 0) now = Math.min(...open.map(({ due }) => due));
    const next = random.pick(ready.length > 0 ? ready : open.filter(({ due }) => due <= now));
    waiting.splice(waiting.indexOf(next), 1);
    steps += 1;
    now += random.below(12);
    trace = Bun.hash.wyhash(`${next.by.name} ${next.label} ${now}`, trace);
    await next.go();
    await settled();
    return true;
  }

  return {
    gate,
    step,
    sleep: (by: Being, ms: number) => gate(by, 'sleep', () => undefined, { after: ms }),
    now: () => now,
    steps: () => steps,
    /** What happened, in what order: two runs of one seed have the same. */
    trace: () => trace.toString(16),
  };
}

/** Whoever went on has come to its next gate: in between there are only promises, which need no time. */
const settled = async () => {
  for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
