import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
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

/** Long ones first: they run beside each other, and none should be left to run alone at the end. */
const suites: Suite[] = [
  races,
  crashes,
  simulation,
  planted,
  chaos,
  embedded,
  feed,
  leases,
  ambiguous,
  cluster,
  migrations,
  zombies,
  paths,
  overlap,
];

/** Most of them wait: for leases to pass, for what was killed to come back. */
const LANES = Math.min(availableParallelism(), 4);
const program = fileURLToPath(new URL('./main.ts', import.meta.url));

export const usage = () =>
  [
    'bun run prove [suite…] [--seed N] [--quick] [--first] [--only verb,…]',
    '',
    ...suites.map(({ name, shows }) => `  ${name.padEnd(12)} ${shows}`),
    '',
    `One line for each suite, ${LANES} of them beside each other; exit code 1 when a promise was broken.`,
    '--quick runs a cut of each, as `npm test` does; a failure names the seed and the suite that repeat it.',
    '--first ends a suite at its first violation; --only open,wait crashes those verbs alone, and plants the bugs named so.',
  ].join('\n');

type Options = Pick<Run, 'seed' | 'quick' | 'first' | 'only'>;

/** Answers the exit code. */
export async function runSuites({ names, ...options }: Options & { names: string[] }): Promise<number> {
  const { seed, quick } = options;
  const unknown = names.filter((name) => !suites.some((suite) => suite.name === name));
  if (unknown.length > 0) throw new TypeError(`There is no suite ${unknown.join(', ')}.\n\n${usage()}`);
  const asked = suites.filter(({ name, onlyWhole }) => (names.length === 0 ? !(quick && onlyWhole) : names.includes(name)));
  const began = performance.now();
  console.log(`seed ${seed}${quick ? ', quick' : ''}`);
  const runnable = asked.filter((suite) => !lacks(suite));
  for (const suite of asked.filter(lacks)) console.log(`skip   ${suite.name.padEnd(12)} it needs PostgreSQL and redis-server`);
  const done: Report[] = [];
  if (runnable.length === 1) for (const suite of runnable) done.push(await runOne(suite, options));
  else {
    const left = [...runnable];
    const lane = async () => {
      for (let suite = left.shift(); suite; suite = left.shift()) done.push(await runApart(suite, options));
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  }
  const sum = (of: (report: Report) => number) => done.reduce((total, report) => total + of(report), 0);
  const violations = sum((report) => report.violations.length);
  console.log(
    `${done.length} suites, ${asked.length - done.length} skipped: operations ${sum(({ operations }) => operations)}, ` +
      `faults ${sum(({ faults }) => faults)}, violations ${violations}, ${seconds(began)}`,
  );
  return violations === 0 ? 0 : 1;
}

/** In a process of its own. What it reports is printed when it is through, so that no two mix. */
async function runApart(suite: Suite, { seed, quick, first, only }: Options): Promise<Report> {
  const began = performance.now();
  const flags = [...(quick ? ['--quick'] : []), ...(first ? ['--first'] : []), ...(only.length > 0 ? ['--only', only.join()] : [])];
  let report: Report | undefined;
  const child = Bun.spawn([process.execPath, '--no-orphans', program, suite.name, '--seed', String(seed), ...flags], {
    stdout: 'ignore',
    stderr: 'inherit',
    serialization: 'json',
    ipc: (message) => (report = message as Report),
  });
  await child.exited;
  report ??= {
    operations: 0,
    faults: 0,
    violations: [`its process ended with ${child.exitCode ?? child.signalCode}, and reported nothing`],
  };
  print(suite, report, began, { seed, quick });
  return report;
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
  print(suite, report, began, { seed, quick });
  process.send?.(report);
  return report;
}

function print(suite: Suite, report: Report, began: number, { seed, quick }: Pick<Options, 'seed' | 'quick'>) {
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
