import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onClose } from '../../scripts/lib/closers.mjs';
import { root } from '../../scripts/lib/root.mjs';
import type { TeamEngines } from '../lib/engines.ts';
import type { LoopInput } from '../lib/pglite-loop.ts';
import { preparePgbench } from '../lib/pgbench.ts';
import { sendLoad, startServer } from '../lib/processes.ts';
import { makeProject, pickAndRelease } from '../lib/project.ts';
import { recordPicks } from '../lib/record.ts';
import { type Context, inTurns, type Measured, type Row } from '../lib/row.ts';

const sessions = 16;
const goal = 0.6;

export const picks: Row = { name: 'picks', about: `picks and releases over HTTP, ${sessions} sessions, one project`, run };

async function run({ engines, team, quick, bunArgs, note }: Context): Promise<Measured[]> {
  if (!team) {
    note('picks: left out, for its baseline is recorded on Postgres: install PostgreSQL and redis-server');
    return [];
  }
  const [rounds, seconds] = quick ? [2, 3] : [5, 6];
  const recorded = await recordPicks(team, `picks_${engines}_recorded`, sessions);
  note(`statements: ${recorded.template.steps.length} for a pick and a release`);
  const baseline =
    engines === 'team'
      ? await preparePgbench(team.bin, recorded.database, recorded.template)
      : await preparePglite(team, recorded.database, recorded.template);

  const env: Record<string, string> =
    engines === 'team' ? { DATABASE_URL: await team.database('picks_ours'), REDIS_URL: team.redisUrl } : {};
  const server = await startServer(env, bunArgs);
  try {
    const project = await makeProject(server.url, sessions);
    const connections = project.workers.map((worker) => pickAndRelease(project, worker));
    const load = async (warmSeconds: number, time: number) => {
      const result = await sendLoad({ url: server.url, connections, warmSeconds, seconds: time });
      return { value: result.perSecond, kinds: result.kinds };
    };
    await load(0, 2);
    await baseline(2);
    const {
      mine,
      ours,
      baseline: theirs,
      ratio,
      ratios,
    } = await inTurns(
      rounds,
      () => load(0.5, seconds),
      () => baseline(seconds),
    );
    const last = mine.at(-1)?.kinds ?? {};
    const ms = (value = NaN) => value.toFixed(1);
    return [
      {
        what: picks.about,
        unit: 'tx/s',
        ours,
        baseline: theirs,
        ratio,
        goal: `≥ ${goal}`,
        met: ratio >= goal,
        more: [
          `pick p50/p99 ${ms(last['pick']?.p50)}/${ms(last['pick']?.p99)} ms`,
          `release ${ms(last['release']?.p50)}/${ms(last['release']?.p99)} ms`,
          `ratios ${ratios.map((each) => each.toFixed(2)).join(' ')}`,
          `baseline: ${engines === 'team' ? 'pgbench -M prepared' : 'PGlite on disk'}`,
        ].join('; '),
      },
    ];
  } finally {
    await server.stop();
  }
}

/** A loop in a process of its own, on a PGlite that has what the recorded database has. */
async function preparePglite(
  team: TeamEngines,
  database: string,
  template: LoopInput['template'],
): Promise<(seconds: number) => Promise<number>> {
  const names = await team.query(database, "select tablename as name from pg_tables where schemaname = 'public'");
  const tables: Record<string, string> = {};
  for (const { name = '' } of names) {
    const [row] = await team.query(database, `select coalesce(jsonb_agg(t), '[]')::text as rows from ${name} t`);
    tables[name] = row?.['rows'] ?? '[]';
  }
  const child = spawn(process.execPath, [join(root, 'bench/lib/pglite-loop.ts')], { stdio: ['pipe', 'pipe', 'inherit'] });
  onClose(() => child.stdin.end());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (line: string) => {
    child.stdin.write(`${line}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error('The PGlite loop ended.');
    return String(value);
  };
  await ask(JSON.stringify({ template, tables } satisfies LoopInput));
  return async (seconds) => Number(await ask(String(seconds)));
}
