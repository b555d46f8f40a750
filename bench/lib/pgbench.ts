import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { capture } from '../../scripts/lib/programs.mjs';
import type { Piece, Step, Template } from './template.ts';

/** Makes `database` ready for pgbench to send the template's statements. Answers a function that measures transactions a second. */
export async function preparePgbench(bin: string, database: string, template: Template): Promise<(seconds: number) => Promise<number>> {
  const client = new Bun.SQL(database, { max: 1 });
  const columns: string[][] = [];
  const script = ['\\if :ready = 0'];
  const lines: string[] = [];
  for (const step of template.steps) lines.push(await lineOf(client, step, columns));
  await client.unsafe(`create table bench_clients (n int primary key, ${columns.map((_, at) => `c${at} text`).join(', ')})`);
  for (let n = 0; n < template.clients; n += 1) {
    const values = columns.map((texts) => texts[n] ?? '');
    await client.unsafe(`insert into bench_clients values (${n}, ${values.map((_, at) => `$${at + 1}`).join(', ')})`, values);
  }
  await client.close();
  script.push(
    `select ${columns.map((_, at) => `c${at}`).join(', ')} from bench_clients where n = :client_id \\gset`,
    '\\set round 0',
    '\\set ready 1',
    '\\endif',
  );
  script.push('\\set round :round + 1', ...lines);

  let run = 0;
  return async (seconds) => {
    const folder = mkdtempSync(join(tmpdir(), 'nexus-pgbench-'));
    try {
      const file = join(folder, 'pick-and-release.sql');
      writeFileSync(file, `${script.join('\n')}\n`);
      run += 1;
      const options = [
        '-n',
        '-M',
        'prepared',
        '-c',
        String(template.clients),
        '-j',
        '1',
        '-T',
        String(seconds),
        '-D',
        'ready=0',
        '-D',
        `run=${run}`,
      ];
      const { code, output } = await capture(join(bin, 'pgbench'), [...options, '-f', file, database]);
      const tps = /^tps = ([\d.]+)/m.exec(output)?.[1];
      if (code !== 0 || tps === undefined || !/^number of failed transactions: 0 /m.test(output))
        throw new Error(`pgbench: ${output.slice(-3000)}`);
      await mustHaveChanged(database, Number(/actually processed: (\d+)/.exec(output)?.[1]));
      // Its transaction is the whole script: a pick and a release.
      return Number(tps) * 2;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
}

/** A baseline whose statements find nothing to change would be fast: every hold made must be ended, and counted. */
async function mustHaveChanged(database: string, rounds: number): Promise<void> {
  const client = new Bun.SQL(database, { max: 1 });
  const [row] = (await client.unsafe(`select (select count(*) from holds where ended_at is null)::int as open,
    (select count(*) from holds)::int as made, (select count(*) from claims where ended_ver is null)::int as held`)) as Record<
    string,
    number
  >[];
  await client.close();
  const { open, made = 0, held } = row ?? {};
  if (open !== 0 || held !== 0 || made < rounds) throw new Error(`The baseline did not do its work: ${JSON.stringify({ ...row, rounds })}`);
}

/** The statement with pgbench's variables in its parameters' places; texts go into `columns`, for in a script a ":" begins a variable. */
async function lineOf(client: Bun.SQL, { sql, locks, params }: Step, columns: string[][]): Promise<string> {
  const types = params.length === 0 ? [] : await typesOf(client, sql);
  const variable = (texts: string[]) => {
    const known = columns.findIndex((other) => other.every((text, n) => text === texts[n]));
    return `:c${known < 0 ? columns.push(texts) - 1 : known}`;
  };
  const rendered = (piece: Piece): string => {
    if ('text' in piece) return `${variable(piece.text)}::text`;
    if ('counter' in piece) return `(:l_${piece.counter}::bigint + ${piece.plus})::text`;
    return `md5(:run::text || '-' || :client_id::text || '-' || :round::text || 'u${piece.fresh}')::uuid::text`;
  };
  const values = params.map((pieces, at) => {
    if (pieces === null) return 'null';
    const [only] = pieces;
    if (pieces.length === 1 && only && 'text' in only) return `${variable(only.text)}::${types[at]}`;
    return `(${pieces.map(rendered).join(' || ')})::${types[at]}`;
  });
  const line = sql.replace(/\$(\d+)/g, (_, n: string) => values[Number(n) - 1] ?? 'null');
  return locks ? `${line} \\gset l_` : `${line};`;
}

async function typesOf(client: Bun.SQL, sql: string): Promise<string[]> {
  await client.unsafe(`prepare bench_types as ${sql}`);
  const [row] = (await client.unsafe(
    "select parameter_types::text[]::text as types from pg_prepared_statements where name = 'bench_types'",
  )) as { types: string }[];
  await client.unsafe('deallocate bench_types');
  return (row?.types ?? '{}')
    .slice(1, -1)
    .split(',')
    .map((type) => type.replaceAll('"', ''));
}
