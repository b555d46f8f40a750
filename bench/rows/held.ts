import { createClient } from '../../packages/client/src/index.ts';
import { sendLoad, startServer } from '../lib/processes.ts';
import { type BenchProject, headersOf, makeProject } from '../lib/project.ts';
import { type Context, inTurns, type Measured, type Row } from '../lib/row.ts';

const sizes = { few: 100, many: 100_000 };
/** The most that one hold may have. */
const perHold = 500;
const connections = 8;
const goal = 1.3;

export const held: Row = { name: 'held', about: 'conflict check with 100 and with 100,000 held claims', run };

async function run({ engines, team, quick, bunArgs, note }: Context): Promise<Measured[]> {
  const [rounds, seconds] = quick ? [2, 2] : [5, 4];
  const env: Record<string, string> =
    engines === 'team' && team ? { DATABASE_URL: await team.database('held'), REDIS_URL: team.redisUrl } : {};
  const server = await startServer(env, bunArgs);
  try {
    const [few, many] = [await makeProject(server.url, connections), await makeProject(server.url, connections)];
    const began = Date.now();
    await hold(many, sizes.many);
    await hold(few, sizes.few);
    note(`held: ${sizes.many} claims made in ${((Date.now() - began) / 1000).toFixed(0)} s`);
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
    await cost(few);
    await cost(many);
    const { ours, baseline, ratio } = await inTurns(
      rounds,
      async () => ({ value: await cost(many) }),
      () => cost(few),
    );
    return [
      {
        what: 'a check with 100,000 held claims; baseline: with 100',
        unit: 'µs',
        ours,
        baseline,
        ratio,
        goal: `≤ ${goal}`,
        met: ratio <= goal,
      },
    ];
  } finally {
    await server.stop();
  }
}

const path = (n: number) => `held/area-${n % 97}/dir-${Math.floor(n / 97) % 101}/file-${n}.ts`;

async function hold({ url, apiKey, projectId, workers }: BenchProject, count: number): Promise<void> {
  const client = createClient({ server: url, apiKey, timeout: 60_000 });
  const [worker] = workers;
  if (worker === undefined) throw new Error('A project needs a worker.');
  for (let from = 0; from < count; from += perHold) {
    const slug = `held-${from}`;
    const touches = Array.from({ length: Math.min(perHold, count - from) }, (_, n) => path(from + n));
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
