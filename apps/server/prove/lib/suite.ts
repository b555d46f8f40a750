import { canRun } from '../../test/harness.ts';
import { hasPostgresPrograms } from '../../test/lib/private-postgres.ts';
import type { Random } from './random.ts';

export type Run = {
  seed: number;
  random: Random;
  /** A cut of it, for every test run: each kind of operation and fault, but few of them. */
  quick: boolean;
  /** Ends at the first violation: that much is enough to see a planted bug. */
  first: boolean;
  /** Crashes of these verbs alone, bugs whose names have these words; none named: all of them. */
  only: string[];
  /** Tells how it goes, on the way. */
  note: (text: string) => void;
};

export type Report = {
  operations: number;
  faults: number;
  /** What broke a promise, each in one line. None: it held. */
  violations: string[];
  /** Bugs that were planted, and those of them that a suite noticed. */
  planted?: { of: number; caught: number };
  /** Figures worth keeping, in one line. */
  figures?: string;
};

export type Suite = {
  name: string;
  /** What it shows, in one line, for --help. */
  shows: string;
  /** `team`: Postgres and Redis; `programs`: those as programs to be killed. */
  needs: 'nothing' | 'team' | 'programs';
  /** Too long for every test run, however few its operations: quick runs go without it unless they name it. */
  onlyWhole?: true;
  run: (run: Run) => Promise<Report>;
};

export const lacks = ({ needs }: Suite): boolean => needs !== 'nothing' && !(canRun('team') && hasPostgresPrograms);

/** Gathers a report while a suite runs. */
export function createReport() {
  const report = { operations: 0, faults: 0, violations: [] as string[] };
  return Object.assign(report, {
    broken: (what: string | readonly string[], where = '') => {
      for (const one of [what].flat()) report.violations.push(where ? `${where}: ${one}` : String(one));
    },
    /** Adds a violation unless `holds`. */
    expect: (holds: boolean, what: string) => {
      if (!holds) report.violations.push(what);
    },
  });
}
export type OpenReport = ReturnType<typeof createReport>;
