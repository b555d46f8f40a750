import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { root } from '../../scripts/lib/root.mjs';
import type { FollowersJob, FollowersResult } from '../lib/followers.ts';
import type { LoadRequest, LoadResult } from '../lib/load.ts';
import { residentMemory } from '../lib/memory.ts';
import { sendLoad, startServer } from '../lib/processes.ts';
import { type BenchProject, headersOf, makeProject, pickAndRelease } from '../lib/project.ts';
import type { Context, Measured, Row } from '../lib/row.ts';

const PROJECTS = 20;
const AGENTS = 5;
const READERS = 100;
/** Of a team of 100 agents: what each asks for, all of them together, a second. A beat is one every 20 s. */
const usual = { pick: 10, check: 300, beat: (PROJECTS * AGENTS) / 20 };
/** A pick and its release are four events. */
const EVENTS = 200;
const goals = { pick: 60, check: 10, beat: 10, event: 150 };

export const soak: Row = {
  name: 'soak',
  about: `${PROJECTS * AGENTS} agents at their usual pace and ${PROJECTS * READERS} readers of the feed, then ${EVENTS} events a second`,
  run,
};

async function run({ engines, team, quick, bunArgs, note }: Context): Promise<Measured[]> {
  const seconds = quick ? 10 : 60;
  const onTeam = engines === 'team' && team;
  const server = await startServer(
    {
      ...(onTeam && { DATABASE_URL: await team.database('soak'), REDIS_URL: team.redisUrl }),
      LIMIT_SOCKETS_PER_KEY: String(READERS),
    },
    bunArgs,
  );
  const keys = async () => (onTeam ? (await team.redisKeys()).length : 0);
  try {
    const projects: BenchProject[] = [];
    for (let each = 0; each < PROJECTS; each += 1) projects.push(await makeProject(server.url, AGENTS));
    const followers = startFollowers({ url: server.url, projects, each: READERS });
    await followers.ready;
    const load = (kind: keyof typeof usual, perSecond: number, over: number) =>
      sendLoad({
        url: server.url,
        connections: requestsOf(kind, projects).slice(0, kind === 'beat' ? 2 * usual.beat : undefined),
        warmSeconds: 1,
        seconds: over,
        perSecond,
      });
    // The first picks of each agent make what stays: counters, and keys of its project.
    await load('pick', 100, 2);
    const before = { memory: await residentMemory(server.url), keys: await keys() };
    note(`${PROJECTS * READERS} readers, ${seconds} s of usual work …`);
    const [picks, checks, beats] = await Promise.all([
      load('pick', 2 * usual.pick, seconds),
      load('check', usual.check, seconds),
      load('beat', usual.beat, seconds),
    ]);
    const after = { memory: await residentMemory(server.url), keys: await keys() };
    const calm = await followers.take();
    await load('pick', EVENTS / 2, quick ? 5 : 20);
    // What was committed last is on its way.
    await Bun.sleep(1000);
    const rush = await followers.take();
    followers.end();
    // The design's goals are for Postgres and Redis; embedded the database works in the server's own thread.
    const goal = (most: number, value: number) => (onTeam ? { goal: `< ${most} ms`, met: value < most } : {});
    const latency = (what: string, { kinds }: LoadResult, kind: 'pick' | 'check' | 'beat') => {
      const { p50, p99 } = kinds[kind] ?? { p50: NaN, p99: NaN };
      return { ...plain(`${what} (p50 ${p50.toFixed(1)} ms)`, 'ms', p99), ...goal(goals[kind], p99) };
    };
    return [
      latency(`pick p99, ${usual.pick}/s`, picks, 'pick'),
      latency(`check p99, ${usual.check}/s`, checks, 'check'),
      latency(`heartbeat p99, ${usual.beat}/s`, beats, 'beat'),
      plain('memory grown by', 'MB', (after.memory - before.memory) / 2 ** 20),
      ...(onTeam
        ? [{ ...plain('Redis keys more than before', '', after.keys - before.keys), goal: '0', met: after.keys === before.keys }]
        : []),
      {
        ...plain(`event to reader p99, ${EVENTS}/s to ${PROJECTS * READERS} (p50 ${rush.p50} ms, ${rush.received} frames)`, 'ms', rush.p99),
        ...goal(goals.event, rush.p99),
      },
      { ...plain('events that a reader missed', '', calm.missed + rush.missed), goal: '0', met: calm.missed + rush.missed === 0 },
    ];
  } finally {
    await server.stop();
  }
}

const plain = (what: string, unit: string, ours: number): Measured => ({
  what,
  unit,
  ours,
  baseline: undefined,
  ratio: undefined,
  goal: '-',
  met: true,
});

/** A connection for each agent. */
const requestsOf = (kind: keyof typeof usual, projects: BenchProject[]): LoadRequest[][] =>
  projects.flatMap((project) =>
    project.workers.map((worker) => {
      const at = `/api/projects/${project.projectId}`;
      const headers = headersOf(project, worker);
      if (kind === 'pick') return pickAndRelease(project, worker);
      if (kind === 'beat') return [{ kind, method: 'POST', path: `${at}/sessions/${worker.sessionId}/heartbeat`, headers }];
      const body = JSON.stringify({ paths: [`src/${worker.slug}/deep/module.ts`] });
      return [{ kind, method: 'POST', path: `${at}/claims/check`, headers, body }];
    }),
  );

function startFollowers({ url, projects, each }: { url: string; projects: BenchProject[]; each: number }) {
  const job: FollowersJob = { url, each, projects: projects.map(({ projectId, apiKey }) => ({ projectId, apiKey })) };
  const child = spawn(process.execPath, [join(root, 'bench/lib/followers.ts')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('The readers ended before their time.');
    return value;
  };
  child.stdin.write(`${JSON.stringify(job)}\n`);
  return {
    ready: line(),
    async take(): Promise<FollowersResult> {
      child.stdin.write('take\n');
      return JSON.parse(await line()) as FollowersResult;
    },
    end: () => void child.stdin.end(),
  };
}
