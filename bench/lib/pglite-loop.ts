import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openPglite } from '../../apps/server/src/engines/database/pglite.ts';
import { root } from '../../scripts/lib/root.mjs';
import type { Counters, Piece, Template } from './template.ts';

/**
 * The template's statements straight on PGlite on disk, one client after the other: `bun bench/lib/pglite-loop.ts`.
 * Input: a line of JSON to begin with, then seconds, one number a line; each gets back transactions a second.
 */
export type LoopInput = { template: Template; tables: Record<string, string> };

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'nexus-bench-pglite-'));
  try {
    let measure: ((seconds: number) => Promise<number>) | undefined;
    for await (const line of createInterface({ input: process.stdin })) {
      if (measure) console.log(await measure(Number(line)));
      else {
        measure = await prepare(folder, JSON.parse(line) as LoopInput);
        console.log('ready');
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type On = { query: (sql: string, params: unknown[], options: object) => Promise<{ rows: unknown[] }> };

/** bool, int8, int4, text, json, timestamptz, uuid, jsonb and arrays of text and uuid: parameters are in text form already, nothing is to be made of them. */
const serializers = Object.fromEntries([16, 20, 23, 25, 114, 1184, 2950, 3802, 1009, 2951].map((type) => [type, (value: string) => value]));

async function prepare(folder: string, { template, tables }: LoopInput): Promise<(seconds: number) => Promise<number>> {
  const { client } = await openPglite({ dataDir: folder, migrations: join(root, 'drizzle') });
  await client.exec('set session_replication_role = replica');
  for (const [table, rows] of Object.entries(tables)) {
    await client.query(`insert into ${table} select * from jsonb_populate_recordset(null::${table}, ($1::text)::jsonb)`, [rows]);
  }
  await client.exec('set session_replication_role = default');

  const requests: Template['steps'][] = [[]];
  for (const step of template.steps) {
    const word = step.sql.toLowerCase();
    if (word === 'commit') requests.push([]);
    else requests.at(-1)?.push(step);
  }
  const request = async (steps: Template['steps'], n: number, fresh: string[]) => {
    let now: Counters = { fence: 0, ver: 0, event_seq: 0 };
    const text = (piece: Piece) =>
      'text' in piece ? (piece.text[n] ?? '') : 'counter' in piece ? String(now[piece.counter] + piece.plus) : (fresh[piece.fresh] ?? '');
    const run = async (on: On, step: Template['steps'][number]) => {
      const params = step.params.map((pieces) => pieces && pieces.map(text).join(''));
      const { rows } = await on.query(step.sql, params, { serializers });
      if (step.locks)
        now = Object.fromEntries(Object.entries(rows[0] as Counters).map(([name, value]) => [name, Number(value)])) as Counters;
    };
    const begin = steps.findIndex(({ sql }) => sql.toLowerCase().startsWith('begin'));
    for (const step of steps.slice(0, begin)) await run(client as On, step);
    await client.transaction(async (tx) => {
      for (const step of steps.slice(begin + 1)) await run(tx as On, step);
    });
  };
  let turn = 0;
  return async (seconds) => {
    const began = performance.now();
    let done = 0;
    while (performance.now() - began < seconds * 1000) {
      const fresh = Array.from({ length: template.fresh }, () => crypto.randomUUID());
      for (const steps of requests.filter((each) => each.length > 0)) {
        await request(steps, turn % template.clients, fresh);
        done += 1;
      }
      turn += 1;
    }
    return done / ((performance.now() - began) / 1000);
  };
}

await main();
process.exit();
