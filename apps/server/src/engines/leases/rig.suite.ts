import type { LeaseStore, LeaseTimes } from './leases.ts';

export const suiteTimes: LeaseTimes = { graceMs: 15_000, maxStepMs: 5_000 };

export type LeaseRig = {
  leases: LeaseStore;
  /** Lets the logical clock of a project run for this long, observed all the while. */
  passTime: (project: string, ms: number) => Promise<void>;
  /** Makes the machine's clock leap (back when negative) between two observations. */
  leap: (project: string, ms: number) => Promise<void>;
  /** What a project occupies beside its version and clock, where that can be seen. */
  leftovers?: (project: string) => Promise<string[]>;
};
