import type { EngineSet, TeamEngines } from './engines.ts';

/** `bunArgs` are for the servers under test: a profiler's options. */
export type Context = {
  engines: EngineSet;
  team: TeamEngines | undefined;
  quick: boolean;
  bunArgs: string[];
  note: (text: string) => void;
};

/** One line of the table. `ours` and `baseline` were measured in turns, in the same run; both are medians. */
export type Measured = {
  what: string;
  unit: string;
  ours: number;
  baseline: number | undefined;
  /** ours / baseline, the median of the rounds' own ratios. */
  ratio: number | undefined;
  goal: string;
  met: boolean;
  more?: string;
};

export type Row = { name: string; about: string; run: (context: Context) => Promise<Measured[]> };

export const median = (values: number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN, sorted[Math.ceil((sorted.length - 1) / 2)] ?? NaN];
  return (low + high) / 2;
};

/** Measures two things in turns, so that whatever else the machine does falls on both. */
export async function inTurns<A extends { value: number }>(rounds: number, ours: () => Promise<A>, baseline: () => Promise<number>) {
  const [mine, theirs]: [A[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    mine.push(await ours());
    theirs.push(await baseline());
  }
  const ratios = mine.map(({ value }, round) => value / (theirs[round] ?? NaN));
  return { mine, ours: median(mine.map(({ value }) => value)), baseline: median(theirs), ratio: median(ratios), ratios };
}
