import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '../../packages/client/src/index.ts';
import { parseClaim } from '../../packages/paths/src/index.ts';
import { root } from '../../scripts/lib/root.mjs';
import type { BareInput } from '../lib/bare.ts';
import type { LoadRequest } from '../lib/load.ts';
import { sendLoad, startProgram, startServer } from '../lib/processes.ts';
import { type BenchProject, headersOf, makeProject, type Worker } from '../lib/project.ts';
import { type Context, inTurns, type Measured, median, type Row } from '../lib/row.ts';

const connections = 50;
const goal = { ratio: 0.8, p99: 10 };
/** More than 100 agents ask that edit all the time (300 checks a second): latency without a queue of our own making. */
const pace = 500;

export const checks: Row = { name: 'checks', about: `claims/check and heartbeat at ${connections} connections`, run };

async function run({ engines, team, quick, bunArgs }: Context): Promise<Measured[]> {
  const [rounds, seconds] = quick ? [2, 3] : [5, 5];
  const redis: Record<string, string> = engines === 'team' && team ? { REDIS_URL: team.redisUrl } : {};
  const server = await startServer(
    { ...redis, ...(engines === 'team' && team ? { DATABASE_URL: await team.database('checks') } : {}) },
    bunArgs,
  );
  const folder = mkdtempSync(join(tmpdir(), 'nexus-bench-'));
  try {
    const project = await makeProject(server.url, connections);
    const file = join(folder, 'bare.json');
    writeFileSync(file, JSON.stringify(await holdAll(project)));
    const bare = await startProgram([join(root, 'bench/lib/bare.ts')], { ...redis, BARE_INPUT: file }, 'bare at');
    try {
      const measured: Measured[] = [];
      for (const [kind, requests] of Object.entries(asked)) {
        const load = (url: string, sent: LoadRequest[][], perSecond?: number) =>
          sendLoad({ url, connections: sent, warmSeconds: 0.5, seconds, ...(perSecond === undefined ? {} : { perSecond }) });
        const full = project.workers.map((worker) => requests.full(project, worker));
        const plain = project.workers.map((worker) => requests.bare(worker));
        const ours = async () => {
          const result = await load(server.url, full);
          return { value: result.perSecond, at: result.kinds[kind] };
        };
        const baseline = async () => (await load(bare.url, plain)).perSecond;
        await ours();
        await baseline();
        const result = await inTurns(rounds, ours, baseline);
        const p99 = median(result.mine.map(({ at }) => at?.p99 ?? NaN));
        const p50 = median(result.mine.map(({ at }) => at?.p50 ?? NaN));
        const paced = (await load(server.url, full, pace)).kinds[kind];
        measured.push(
          {
            what: `${kind}, ${connections} connections, each as fast as it can`,
            unit: 'req/s',
            ours: result.ours,
            baseline: result.baseline,
            ratio: result.ratio,
            // The goal is one for Postgres and Redis; where the script is a function call, the ratio is that of two HTTP stacks.
            goal: engines === 'team' ? `≥ ${goal.ratio}` : '-',
            met: engines !== 'team' || result.ratio >= goal.ratio,
            more: `${kind}: ratios ${result.ratios.map((each) => each.toFixed(2)).join(' ')}`,
          },
          latency(`${kind} p99, as above (p50 ${p50.toFixed(1)} ms)`, p99),
          latency(`${kind} p99 at ${pace}/s over ${connections} connections (p50 ${(paced?.p50 ?? NaN).toFixed(1)} ms)`, paced?.p99 ?? NaN),
        );
      }
      return measured;
    } finally {
      await bare.stop();
    }
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const latency = (what: string, p99: number): Measured => ({
  what,
  unit: 'ms',
  ours: p99,
  baseline: undefined,
  ratio: undefined,
  goal: `< ${goal.p99} ms`,
  met: p99 < goal.p99,
});

/** A path that nobody holds and one of the worker's own, in turns: what an edit guard asks for. */
const pathsOf = ({ slug }: Worker) => [`lib/free/${slug}/deep/module.ts`, `src/${slug}/deep/module.ts`];

type Asked = { full: (project: BenchProject, worker: Worker) => LoadRequest[]; bare: (worker: Worker) => LoadRequest[] };
const asked: Record<'check' | 'beat', Asked> = {
  check: {
    full: (project, worker) =>
      pathsOf(worker).map((path) => ({
        kind: 'check',
        method: 'POST',
        path: `/api/projects/${project.projectId}/claims/check`,
        headers: headersOf(project, worker),
        body: JSON.stringify({ paths: [path] }),
      })),
    bare: (worker) =>
      pathsOf(worker).map((path) => ({
        kind: 'check',
        method: 'POST',
        path: '/check',
        headers: {},
        body: JSON.stringify({ claims: [{ node: claimOf(path).node, mode: 'write' }], lineage: [worker.sessionId] }),
      })),
  },
  beat: {
    full: (project, worker) => [
      {
        kind: 'beat',
        method: 'POST',
        path: `/api/projects/${project.projectId}/sessions/${worker.sessionId}/heartbeat`,
        headers: headersOf(project, worker),
      },
    ],
    bare: (worker) => [{ kind: 'beat', method: 'POST', path: '/beat', headers: {}, body: JSON.stringify({ session: worker.sessionId }) }],
  },
};

function claimOf(path: string) {
  const parsed = parseClaim(path);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.claim;
}

/** Every worker picks its feature; answers the same holds for a store that knows no server. */
async function holdAll({ url, apiKey, projectId, workers }: BenchProject): Promise<BareInput> {
  const client = createClient({ server: url, apiKey });
  const snapshot: BareInput['snapshot'] = { sessionsOpened: [], holdsGranted: [], claimsGranted: [] };
  for (const { slug, sessionId, touches } of workers) {
    const { fence } = await client.pickFeature({ projectId, slug }, { session: sessionId });
    const id = crypto.randomUUID();
    snapshot.sessionsOpened.push({ id: sessionId, ttlMs: 90_000 });
    snapshot.holdsGranted.push({ id, session: sessionId, label: slug, fence: fence ?? 0 });
    for (const touch of touches) {
      const { node, mode } = claimOf(touch);
      snapshot.claimsGranted.push({ hold: id, node, mode, display: touch });
    }
  }
  return { project: crypto.randomUUID(), snapshot };
}
