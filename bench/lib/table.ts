import { cpus, totalmem } from 'node:os';
import type { EngineSet, TeamEngines } from './engines.ts';
import type { Measured } from './row.ts';

export type Line = Measured & { engines: EngineSet; name: string };

export async function machine(team: TeamEngines | undefined): Promise<string> {
  const [cpu] = cpus();
  const postgres = team ? await team.about() : 'no Postgres and Redis';
  return `${cpus().length} cores (${cpu?.model.trim() ?? '?'}), ${Math.round(totalmem() / 2 ** 30)} GB; Bun ${Bun.version}; ${postgres}; PGlite on disk`;
}

const number = (value: number | undefined) => (value === undefined ? '-' : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0));

export function table(lines: Line[]): string {
  const rows = [
    ['row', 'engines', 'what', 'ours', 'baseline', 'unit', 'ratio', 'goal', ''],
    ...lines.map((line) => [
      line.name,
      line.engines,
      line.what,
      number(line.ours),
      number(line.baseline),
      line.unit,
      number(line.ratio),
      line.goal,
      line.met ? 'met' : 'MISSED',
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
