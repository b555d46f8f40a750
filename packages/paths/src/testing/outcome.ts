import fc from 'fast-check';

export type SuiteRun = { operations: number; seed: number };
/** Each violation is one line that names the seed which repeats it. */
export type SuiteOutcome = { operations: number; violations: string[] };

/** Of a test run; NEXUS_TEST_SEED repeats one, NEXUS_TEST_TIMES makes it longer. */
export const runOf = (operations: number, { NEXUS_TEST_TIMES, NEXUS_TEST_SEED }: NodeJS.ProcessEnv = process.env): SuiteRun => ({
  operations: operations * Number(NEXUS_TEST_TIMES ?? 1),
  seed: Number(NEXUS_TEST_SEED ?? Math.floor(Math.random() * 0x7fff_ffff)),
});

/** Checks a property that answers what is wrong, or undefined; the counterexample is shrunk. */
export function tryOut<Ts extends [unknown, ...unknown[]]>(
  name: string,
  { operations, seed }: SuiteRun,
  arbitraries: { [K in keyof Ts]: fc.Arbitrary<Ts[K]> },
  fault: (...values: Ts) => string | undefined,
): SuiteOutcome {
  const property = fc.property(...arbitraries, (...values) => {
    const found = fault(...values);
    if (found !== undefined) throw new Error(found);
  });
  const { failed, counterexample, errorInstance, numRuns } = fc.check(property, { numRuns: operations, seed });
  const what = errorInstance instanceof Error ? errorInstance.message : 'it failed';
  return { operations: numRuns, violations: failed ? [`${name}: ${what}: ${JSON.stringify(counterexample)} (seed ${seed})`] : [] };
}

export const samplesOf = <T>(arbitrary: fc.Arbitrary<T>, count: number, seed: number): T[] =>
  fc.sample(arbitrary, { numRuns: count, seed });
