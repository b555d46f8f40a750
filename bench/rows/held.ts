import { createClient } from '../../packages/client/src/index.ts';
import { residentMemory } from '../lib/memory.ts';
import { sendLoad, startServer } from '../lib/processes.ts';
import { type BenchProject, headersOf, makeProject } from '../lib/project.ts';
import { type Context, inTurns, type Measured, type Row } from '../lib/row.ts';

const sizes = [0, 1000, 100_000];
const baselineSize = 100;
/** The most that one hold may have. */
const perHold = 500;
/** One over each area, so that a check of a path below meets one. */
const areas = 97;
const connections = 8;
const goal = 1.3;

export const held: Row = { name: 'held', about: 'conflict check with 0, 1,000 and 100,000 held claims, globs among them', run };

async function run({ engines, team, quick, bunArgs, note }: Context): Promise<Measured[]> {
  const [rounds, seconds] = quick ? [2, 2] : [5, 4];
  const env: Record<string, string> =
    engines === 'team' && team ? { DATABASE_URL: await team.database('held'), REDIS_URL: team.redisUrl } : {};
  const server = await startServer(env, bunArgs);
  try {
    /** Bytes: of Redis, which has the index; embedded, of the server, which has the ledger too. */
    const memory = () => (engines === 'team' && team ? team.redisMemory() : residentMemory(server.url));
    const make = async (count: number) => {
      const project = await makeProject(server.url, connections);
      const [began, before] = [Date.now(), await memory()];
      await hold(project, count);
      note(`held: ${count} claims made in ${((Date.now() - began) / 1000).toFixed(0)} s`);
      return { project, bytes: (await memory()) - before };
    };
    /** Microseconds a check takes, by throughput: below the scale of single timings. */
    const cost = async (project: BenchProject) => {
      const result = await sendLoad({
        url: server.url,
        connections: project.workers.map((_, n) => request(project, n)),
        warmSeconds: 0.5,
        seconds,
      });
      return 1e6 / result.perSecond;
    };
    const few = await make(baselineSize);
    await cost(few.project);
    const measured: Measured[] = [];
    let perClaim = 0;
    for (const size of sizes) {
      const { project, bytes } = await make(size);
      perClaim = bytes / size;
      await cost(project);
      const { ours, baseline, ratio } = await inTurns(
        rounds,
        async () => ({ value: await cost(project) }),
        () => cost(few.project),
      );
      const what = `a check with ${size.toLocaleString('en')} held claims; baseline: with ${baselineSize}`;
      measured.push({ what, unit: 'µs', ours, baseline, ratio, goal: `≤ ${goal}`, met: ratio <= goal });
    }
    const what = `memory of a held claim, ${engines === 'team' ? 'in Redis' : 'in the server with its database'}`;
    return [...measured, { what, unit: 'bytes', ours: perClaim, baseline: undefined, ratio: undefined, goal: '-', met: true }];
  } finally {
    await server.stop();
  }
}

const path = (n: number) => `held/area-${n % areas}/dir-${Math.floor(n / areas) % 101}/file-${n}.ts`;
/** Of every thousand the first is a glob, as long as there are areas. */
const touch = (n: number) => (n % 1000 === 0 && n / 1000 < areas ? `held/area-${n / 1000}/**/*.generated.ts` : path(n));

async function hold({ url, apiKey, projectId, workers }: BenchProject, count: number): Promise<void> {
  const client = createClient({ server: url, apiKey, timeout: 60_000 });
  const [worker] = workers;
  if (worker === undefined) throw new Error('A project needs a worker.');
  for (let from = 0; from < count; from += perHold) {
    const slug = `held-${from}`;
    const touches = Array.from({ length: Math.min(perHold, count - from) }, (_, n) => touch(from + n));
    await client.createFeature({ projectId, body: { slug, title: slug, spec: '', touches } });
    await client.readyFeature({ projectId, slug });
    await client.pickFeature({ projectId, slug }, { session: worker.sessionId });
  }
}

/** Free paths among the held ones. */
const request = (project: BenchProject, n: number) => {
  const worker = project.workers[n];
  if (worker === undefined) throw new Error(`There is no worker ${n}.`);
  return [1, 2, 3, 4].map((turn) => ({
    kind: 'check',
    method: 'POST',
    path: `/api/projects/${project.projectId}/claims/check`,
    headers: headersOf(project, worker),
    body: JSON.stringify({ paths: [`held/area-${n}/dir-${turn}/free-${turn}.ts`] }),
  }));
};
