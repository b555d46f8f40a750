import { parseArgs } from 'node:util';
import { closeAll } from '../../../scripts/lib/closers.mjs';
import { startEngines } from './lib/engines.ts';

const options = {
  seed: { type: 'string' },
  quick: { type: 'boolean' },
  first: { type: 'boolean' },
  only: { type: 'string' },
  help: { type: 'boolean' },
} as const;

/** Runs suites, and prints one line for each. Exit code 1 when a promise was broken, or a planted bug not noticed. */
async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  await startEngines();
  // Only now, for they ask for the engines when they are loaded.
  const { runSuites, usage } = await import('./run.ts');
  if (values.help) {
    console.log(usage());
    return 0;
  }
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  if (!Number.isInteger(seed)) throw new TypeError(`--seed is a whole number, not ${values.seed}.`);
  const only = values.only?.split(',') ?? [];
  return runSuites({ names: positionals, seed, quick: values.quick === true, first: values.first === true, only });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof TypeError ? error.message : error);
  process.exitCode = error instanceof TypeError ? 2 : 1;
} finally {
  await closeAll();
}
process.exit();
