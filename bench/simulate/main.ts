import { parseArgs } from 'node:util';
import { closeAll } from '../../scripts/lib/closers.mjs';
import { root } from '../../scripts/lib/root.mjs';
import { hottest, workFrom } from './history.ts';
import type { Outcome } from './outcome.ts';
import { withNexus } from './with.ts';
import { withoutNexus } from './without.ts';

const usage = 'bun run simulate [--repo <path>] [--agents 50] [--features 200] [--seed 1]';

/** Many agents at one repository's own history, with Nexus and without: how long, how many conflicts, how much work twice. */
async function main(args: string[]): Promise<void> {
  const options = {
    repo: { type: 'string', default: root },
    agents: { type: 'string', default: '50' },
    features: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
  } as const;
  const { values } = parseArgs({ args, options });
  const [agents, features, seed] = [values.agents, values.features, values.seed].map(Number);
  if (!agents || !features || seed === undefined || Number.isNaN(seed)) throw new TypeError(usage);
  const all = await workFrom(values.repo, features, chances(seed));
  const files = new Set(all.flatMap((work) => work.files));
  const hot = hottest(all);
  const brief = hot.slice(0, Math.ceil(files.size / 50)).map(({ file }) => file);
  const alone = all.reduce((sum, { minutes }) => sum + minutes, 0);
  console.log(`${all.length} pieces of work on ${files.size} files, ${hours(alone)} of work, ${agents} agents, seed ${seed}`);
  console.log(
    `touched most: ${hot
      .slice(0, 5)
      .map(({ file, times }) => `${file} (${times})`)
      .join(', ')}\n`,
  );

  console.log('| | makespan | conflicting edits | work done twice | agents waited |\n|---|---|---|---|---|');
  for (const clash of [1, 0.5, 0.25]) {
    const name = `without Nexus, ${clash === 1 ? 'every file' : `${clash * 100} % of files`} that two change at once in conflict`;
    console.log(row(name, withoutNexus(all, agents, clash, chances(seed))));
  }
  console.log(row('with Nexus', await withNexus(all, agents, [])));
  console.log(row(`with Nexus, the ${brief.length} most touched files brief`, await withNexus(all, agents, brief)));
}

const row = (name: string, { makespan, conflicts, rework, waited }: Outcome) =>
  `| ${name} | ${hours(makespan)} | ${conflicts} | ${hours(rework)} | ${hours(waited)} |`;
const hours = (minutes: number) => `${(minutes / 60).toFixed(1)} h`;

/** Mulberry32. */
function chances(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof TypeError ? `${error.message}\n${usage}` : error);
  process.exitCode = error instanceof TypeError ? 2 : 1;
} finally {
  await closeAll();
}
process.exit();
