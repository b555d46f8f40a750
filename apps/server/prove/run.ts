import { createRandom } from './lib/random.ts';
import { lacks, type Report, type Run, type Suite } from './lib/suite.ts';
import { ambiguous } from './suites/ambiguous.ts';
import { chaos } from './suites/chaos.ts';
import { crashes } from './suites/crashes.ts';
import { cluster } from './suites/cluster.ts';
import { embedded } from './suites/embedded.ts';
import { feed } from './suites/feed.ts';
import { migrations } from './suites/migrations.ts';
import { leases, overlap, paths } from './suites/models.ts';
import { planted } from './suites/planted.ts';
import { races } from './suites/races.ts';
import { simulation } from './suites/simulation.ts';
import { zombies } from './suites/zombies.ts';

/** Cheap ones first: what they find need not be looked for by the others. */
const suites: Suite[] = [
  paths,
  overlap,
  leases,
  simulation,
  races,
  zombies,
  ambiguous,
  crashes,
  embedded,
  migrations,
  feed,
  cluster,
  chaos,
  planted,
];

export const usage = () =>
  [
    'bun run prove [suite…] [--seed N] [--quick] [--first] [--only verb,…]',
    '',
    ...suites.map(({ name, shows }) => `  ${name.padEnd(12)} ${shows}`),
    '',
    'One line for each suite; exit code 1 when a promise was broken. --quick runs a cut of each, as `npm test` does;',
    '--first ends a suite at its first violation; --only open,wait crashes those verbs alone.',
  ].join('\n');

type Options = Pick<Run, 'seed' | 'quick' | 'first' | 'only'>;

/** Answers the exit code. */
export async function runSuites({ names, ...options }: Options & { names: string[] }): Promise<number> {
  const { seed, quick } = options;
  const unknown = names.filter((name) => !suites.some((suite) => suite.name === name));
  if (unknown.length > 0) throw new TypeError(`There is no suite ${unknown.join(', ')}.\n\n${usage()}`);
  const asked = suites.filter(({ name, onlyWhole }) => (names.length === 0 ? !(quick && onlyWhole) : names.includes(name)));
  const reports: Array<Report | 'skipped'> = [];
  const began = performance.now();
  console.log(`seed ${seed}${quick ? ', quick' : ''}`);
  for (const suite of asked) {
    const report = lacks(suite) ? ('skipped' as const) : await runOne(suite, options);
    reports.push(report);
    if (report === 'skipped') console.log(`skip   ${suite.name.padEnd(12)} it needs PostgreSQL and redis-server`);
  }
  const done = reports.filter((report) => report !== 'skipped');
  const sum = (of: (report: Report) => number) => done.reduce((total, report) => total + of(report), 0);
  const violations = sum((report) => report.violations.length);
  console.log(
    `${done.length} suites, ${reports.length - done.length} skipped: operations ${sum(({ operations }) => operations)}, ` +
      `faults ${sum(({ faults }) => faults)}, violations ${violations}, ${seconds(began)}`,
  );
  return violations === 0 ? 0 : 1;
}

async function runOne(suite: Suite, { seed, quick, first, only }: Options): Promise<Report> {
  const began = performance.now();
  const note = (text: string) => process.stderr.write(`  ${suite.name}: ${text}\n`);
  const report = await suite
    .run({ seed, quick, first, only, note, random: createRandom(seed, suite.name) })
    .catch((error: unknown): Report => {
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { operations: 0, faults: 0, violations: [`it could not finish: ${what}`] };
    });
  console.log(line(suite, report, began));
  if (report.violations.length > 0) {
    console.log(
      report.violations
        .slice(0, 20)
        .map((violation) => `       ${violation}`)
        .join('\n'),
    );
    console.log(`       Again: bun run prove ${suite.name} --seed ${seed}${quick ? ' --quick' : ''}`);
  }
  return report;
}

const line = (suite: Suite, { operations, faults, violations, planted, figures }: Report, began: number) =>
  [
    `${violations.length === 0 ? 'ok    ' : 'BROKEN'} ${suite.name.padEnd(12)}`,
    `operations ${String(operations).padStart(6)}`,
    `faults ${String(faults).padStart(5)}`,
    `violations ${violations.length}`,
    ...(planted ? [`planted bugs caught ${planted.caught} of ${planted.of}`] : []),
    seconds(began),
    ...(figures ? [figures] : []),
  ].join('  ');

const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`;
