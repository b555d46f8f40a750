import type { TeamEngines } from './engines.ts';
import { startServer } from './processes.ts';
import { type BenchProject, makeProject, pickAndRelease } from './project.ts';
import { startTap } from './tap.ts';
import { counters, type Counters, makeTemplate, type Recording, type Template } from './template.ts';

export type Recorded = { template: Template; database: string };

/** A sweep between two statements, or a cache that is still cold, spoils a recording. */
const tries = 10;
const shape = (recording: Recording) => recording.map(({ statement }) => statement.sql).join('\n');
const alike = (one: Recording, other: Recording) => shape(one) === shape(other);

/** Lets the real server pick and release once for each client and writes down its statements. `database` is left as it then is. */
export async function recordPicks(team: TeamEngines, name: string, clients: number): Promise<Recorded> {
  const database = await team.database(name);
  const tap = await startTap(database);
  const server = await startServer({ DATABASE_URL: tap.url, REDIS_URL: team.redisUrl });
  try {
    const project = await makeProject(server.url, clients);
    const round = (n: number) => recordRound({ team, database, project, n, take: tap.take });
    let [earlier, later] = [await round(0), await round(0)];
    for (let left = tries; !alike(earlier, later) && left > 0; left -= 1) [earlier, later] = [later, await round(0)];
    const all = [later];
    for (let n = 1; n < clients; n += 1) {
      let own = await round(n);
      for (let left = tries; !alike(own, later) && left > 0; left -= 1) own = await round(n);
      all.push(own);
    }
    return { template: makeTemplate(earlier, all), database };
  } finally {
    await server.stop();
    tap.stop();
  }
}

type RoundNeeds = {
  team: TeamEngines;
  database: string;
  project: BenchProject;
  n: number;
  take: () => { sql: string; params: (string | null)[]; connection: number }[];
};

async function recordRound({ team, database, project, n, take }: RoundNeeds): Promise<Recording> {
  const worker = project.workers[n];
  if (worker === undefined) throw new Error(`There is no worker ${n}.`);
  const recording: Recording = [];
  for (const request of pickAndRelease(project, worker)) {
    const [row] = await team.query(database, `select ${counters.join(', ')} from ledgers where project_id = '${project.projectId}'`);
    const before = Object.fromEntries(counters.map((name) => [name, Number(row?.[name])])) as Counters;
    await settled(take);
    const headers = {
      ...request.headers,
      'idempotency-key': crypto.randomUUID(),
      ...(request.body ? { 'content-type': 'application/json' } : {}),
    };
    const answer = await fetch(project.url + request.path, {
      method: request.method,
      headers,
      ...(request.body ? { body: request.body } : {}),
    });
    if (!answer.ok) throw new Error(`${request.kind}: ${answer.status} ${await answer.text()}`);
    const statements = take().filter(({ sql }) => !/pg_advisory|pg_catalog/.test(sql));
    recording.push(...statements.map((statement) => ({ statement, before })));
  }
  return recording;
}

/** The sweep looks at the project every second: between two looks is the time to record. */
async function settled(take: () => unknown[]): Promise<void> {
  take();
  for (let quiet = 0; quiet < 2;) {
    await Bun.sleep(10);
    quiet = take().length === 0 ? quiet + 1 : 0;
  }
}
