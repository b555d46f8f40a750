import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { closeAll } from '../scripts/lib/closers.mjs';
import { type EngineSet, startTeamEngines } from './lib/engines.ts';
import type { Row } from './lib/row.ts';
import { type Line, machine, table } from './lib/table.ts';
import { checks } from './rows/checks.ts';
import { held } from './rows/held.ts';
import { hook } from './rows/hook.ts';
import { idle } from './rows/idle.ts';
import { picks } from './rows/picks.ts';
import { search } from './rows/search.ts';
import { soak } from './rows/soak.ts';
import { start } from './rows/start.ts';
import { suggested } from './rows/suggested.ts';

const rows: Row[] = [picks, checks, held, hook, idle, start, soak, search, suggested];
const usage = `bun run bench [${rows.map(({ name }) => name).join('|')} …] [--engines embedded|team|both] [--quick] [--json] [--profile <folder>]`;

/** Measures the rows of the design's table of speeds. Exit code 1 when a goal is missed; with `--quick` the numbers are too rough for that. */
async function main(args: string[]): Promise<number> {
  const options = {
    engines: { type: 'string', default: 'both' },
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    profile: { type: 'string' },
  } as const;
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  const unknown = positionals.filter((name) => !rows.some((row) => row.name === name));
  if (unknown.length > 0) throw new TypeError(`There is no row ${unknown.join(', ')}.`);
  if (!['embedded', 'team', 'both'].includes(values.engines)) throw new TypeError(`There are no engines "${values.engines}".`);

  const note = (text: string) => process.stderr.write(`  ${text}\n`);
  const team = await startTeamEngines();
  const about = await machine(team);
  note(about);
  const bunArgs = values.profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', resolve(values.profile)];
  const lines: Line[] = [];
  for (const row of rows.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
    for (const engines of ['embedded', 'team'] as EngineSet[]) {
      if (values.engines !== 'both' && values.engines !== engines) continue;
      if (engines === 'team' && !team) {
        note(`${row.name}: no team engines: install PostgreSQL and redis-server`);
        continue;
      }
      note(`${row.name}, ${engines} …`);
      for (const measured of await row.run({ engines, team, quick: values.quick === true, bunArgs, note })) {
        lines.push({ ...measured, engines, name: row.name });
        if (measured.more) note(measured.more);
      }
    }
  }
  console.log(
    values.json ? JSON.stringify({ machine: about, quick: values.quick === true, lines }, null, 2) : `${about}\n\n${table(lines)}`,
  );
  return values.quick || lines.every(({ met }) => met) ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof TypeError ? `${error.message}\n${usage}` : error);
  process.exitCode = error instanceof TypeError ? 2 : 1;
} finally {
  await closeAll();
}
process.exit();
