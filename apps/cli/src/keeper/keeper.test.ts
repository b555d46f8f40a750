import { afterEach, beforeEach, expect, test } from 'bun:test';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { processInfo, type ProcessRef } from '../processes.ts';
import { type Answer, type Call, data, type FakeServer, refusal, startFakeServer, until } from '../testing/fake-server.ts';
import { homeEnv, makePlace, type Place } from '../testing/io.ts';
import { callKeeper, ensureKeeper } from './call.ts';
import { keeperFiles, type KeeperRequest } from './protocol.ts';

let place: Place;
let server: FakeServer;
let env: Record<string, string>;
const children: ChildProcess[] = [];
const self = { command: process.execPath, args: [join(import.meta.dirname, '..', 'main.ts')] };

beforeEach(async () => {
  place = makePlace();
  env = { ...homeEnv(place.dir), NEXUS_BEAT_SECONDS: '0.3' };
  server = await startFakeServer(answer);
});
afterEach(async () => {
  await callKeeper(socket(), { op: 'stop' });
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await server.close();
  place.remove();
});

const socket = (): string => keeperFiles(join(place.dir, 'run')).socket;
const beats = (): Call[] => server.to(/heartbeats$/);
const deaths = (): Call[] => server.to(/\/end$/);

function answer(call: Call): Answer {
  if (!call.path.endsWith('/heartbeats')) return data({});
  const ids = (call.body as { sessions: string[] }).sessions;
  return data({
    sessions: ids.map((id) => ({
      id,
      state: id.startsWith('over') ? 'over' : 'ok',
      leaseSeconds: 90,
      expiresAt: null,
      holds: [],
      lost: [],
      degraded: false,
    })),
  });
}

/** A process that stands for an agent. */
function agent(): ProcessRef & { child: ChildProcess } {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  children.push(child);
  const info = processInfo(child.pid ?? 0);
  if (info === undefined) throw new Error('It does not run.');
  return { child, pid: info.pid, startTime: info.startTime };
}

const registration = (sessionId: string, { pid, startTime }: ProcessRef, apiKey = 'nx_a'): KeeperRequest => ({
  op: 'register',
  server: server.url,
  apiKey,
  projectId: 'p1',
  sessionId,
  pid,
  startTime,
});
const ask = async (request: KeeperRequest) => {
  const said = await callKeeper(socket(), request);
  if (said === undefined) throw new Error('No keeper answers.');
  return said;
};

test('one call beats for all sessions of a server and key, again and again', async () => {
  expect(await ensureKeeper({ env, self })).toBe(true);
  const { child: _child, ...process } = agent();
  for (const id of ['s1', 's2', 's3']) expect(await ask(registration(id, process))).toMatchObject({ ok: true });
  await ask(registration('b1', process, 'nx_b'));
  await until(() => beats().length >= 6, 'three rounds of two calls');
  const bodies = beats()
    .slice(2)
    .map(({ key, body }) => [key, (body as { sessions: string[] }).sessions.toSorted().join(' ')].join(': '));
  expect([...new Set(bodies)].toSorted()).toEqual(['Bearer nx_a: s1 s2 s3', 'Bearer nx_b: b1']);
});

test('a killed process is reported as died within 5 s, once, and its session is beaten for no more', async () => {
  await ensureKeeper({ env, self });
  const [doomed, other] = [agent(), agent()];
  await ask(registration('s1', doomed));
  await ask(registration('s2', other));
  await until(() => beats().length > 0, 'a beat');
  const killed = Date.now();
  doomed.child.kill('SIGKILL');
  await until(() => deaths().length > 0, 'the report');
  expect((deaths()[0]?.at ?? Infinity) - killed).toBeLessThan(5000);
  expect(deaths()[0]).toMatchObject({ method: 'POST', path: '/projects/p1/sessions/s1/end', body: { reason: 'died' } });
  const since = beats().length;
  await until(() => beats().length > since + 2, 'more beats');
  expect(
    beats()
      .slice(since + 1)
      .every(({ body }) => (body as { sessions: string[] }).sessions.join() === 's2'),
  ).toBe(true);
  expect(deaths()).toHaveLength(1);
}, 20_000);

test('a death is reported until the server answers', async () => {
  await ensureKeeper({ env, self });
  const doomed = agent();
  await ask(registration('s1', doomed));
  await until(() => beats().length > 0, 'a beat');
  server.answer(({ path }) =>
    path.endsWith('/end')
      ? deaths().length < 2
        ? undefined
        : deaths().length < 4
          ? refusal(503, 'SERVICE_UNAVAILABLE')
          : data({})
      : undefined,
  );
  doomed.child.kill('SIGKILL');
  await until(() => deaths().length >= 4, 'four attempts', 15_000);
  await until(
    () =>
      existsSync(keeperFiles(join(place.dir, 'run')).registrations) &&
      !readFileSync(keeperFiles(join(place.dir, 'run')).registrations, 'utf8').includes('s1'),
    'it is dropped',
  );
  expect(deaths()).toHaveLength(4);
}, 25_000);

test('while the server is away an idle keeper ends, and the next one reports the death', async () => {
  env = { ...env, NEXUS_KEEPER_IDLE_SECONDS: '1' };
  await ensureKeeper({ env, self });
  const doomed = agent();
  await ask(registration('s1', doomed));
  await until(() => beats().length > 0, 'a beat');
  let isAway = true;
  server.answer(({ path }) => (path.endsWith('/end') ? (isAway ? refusal(503, 'SERVICE_UNAVAILABLE') : data({})) : undefined));
  doomed.child.kill('SIGKILL');
  await until(() => deaths().length > 0, 'an attempt');
  await until(() => !existsSync(socket()), 'it ends', 10_000);
  const before = deaths().length;
  isAway = false;
  await ensureKeeper({ env, self });
  await until(() => deaths().length > before, 'the report');
}, 25_000);

test('a pid that another process has now is a dead agent', async () => {
  await ensureKeeper({ env, self });
  const { pid, startTime } = agent();
  await ask(registration('s1', { pid, startTime: `${startTime}0` }));
  await until(() => deaths().length > 0, 'the report');
});

test('an outage of the server drops nothing, and the beats come back', async () => {
  await ensureKeeper({ env, self });
  await ask(registration('s1', agent()));
  await until(() => beats().length > 0, 'a beat');
  server.answer(() => undefined);
  const before = beats().length;
  await until(() => beats().length > before + 2, 'it keeps trying');
  expect((await ask({ op: 'status' })).sessions).toMatchObject([{ sessionId: 's1', state: 'kept', problem: expect.any(String) }]);
  server.answer(answer);
  const back = beats().length;
  await until(() => beats().length > back + 1, 'it beats again');
  expect((await ask({ op: 'status' })).sessions).toMatchObject([{ sessionId: 's1', problem: null }]);
});

test('a session that the server calls over, or that is forgotten, is dropped', async () => {
  await ensureKeeper({ env, self });
  const process = agent();
  for (const id of ['over1', 's1', 's2']) await ask(registration(id, process));
  await until(() => beats().length > 1, 'beats');
  await ask({ op: 'forget', sessionId: 's1' });
  expect((await ask({ op: 'status' })).sessions?.map(({ sessionId }) => sessionId)).toEqual(['s2']);
  expect(deaths()).toHaveLength(0);
});

test('of many started at once one stays, and it says nothing of its keys', async () => {
  const started = await Promise.all(Array.from({ length: 5 }, () => ensureKeeper({ env, self })));
  expect(started).toEqual([true, true, true, true, true]);
  const { pid } = await ask({ op: 'status' });
  await ask(registration('s1', agent()));
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const status = await ask({ op: 'status' });
  expect(status.pid).toBe(pid);
  expect(JSON.stringify(status)).not.toContain('nx_a');
  const { dir, registrations } = keeperFiles(join(place.dir, 'run'));
  expect([dir, registrations].map((path) => (statSync(path).mode & 0o777).toString(8))).toEqual(['700', '600']);
}, 20_000);

test('a killed keeper’s sessions are kept by the next one', async () => {
  await ensureKeeper({ env, self });
  const doomed = agent();
  await ask(registration('s1', agent()));
  await ask(registration('s2', doomed));
  const { pid = 0 } = await ask({ op: 'status' });
  process.kill(pid, 'SIGKILL');
  doomed.child.kill('SIGKILL');
  await once(doomed.child, 'close');
  const before = beats().length;
  expect(await ensureKeeper({ env, self })).toBe(true);
  expect((await ask({ op: 'status' })).pid).not.toBe(pid);
  await until(() => beats().length > before && deaths().length > 0, 'beats for one, a death for the other');
  expect(deaths()[0]?.path).toContain('/s2/');
}, 20_000);

test('the lease file ends before the lease does, and goes with the session', async () => {
  await ensureKeeper({ env, self });
  const gitDir = join(place.dir, 'git');
  mkdirSync(gitDir);
  const lease = join(gitDir, 'nexus', 'lease-s1.json');
  await ask({ ...registration('s1', agent()), gitDir } as KeeperRequest);
  await until(() => existsSync(lease), 'the lease file');
  const { validUntil } = JSON.parse(readFileSync(lease, 'utf8')) as { validUntil: string };
  const left = (Date.parse(validUntil) - Date.now()) / 1000;
  expect(left).toBeGreaterThan(75);
  expect(left).toBeLessThanOrEqual(81);
  await ask({ op: 'forget', sessionId: 's1' });
  expect(existsSync(lease)).toBe(false);
});

test('a short lease is beaten for in a third of its time, and an idle keeper ends', async () => {
  env = { ...env, NEXUS_BEAT_SECONDS: '20', NEXUS_KEEPER_IDLE_SECONDS: '1' };
  await ensureKeeper({ env, self });
  await ask({ ...registration('s1', agent()), leaseSeconds: 2 } as KeeperRequest);
  server.answer((call) =>
    call.path.endsWith('/heartbeats')
      ? data({ sessions: [{ id: 's1', state: 'ok', leaseSeconds: 2, expiresAt: null, holds: [], lost: [], degraded: true }] })
      : data({}),
  );
  await until(() => beats().length >= 4, 'four beats', 4000);
  await ask({ op: 'forget', sessionId: 's1' });
  await until(() => !existsSync(socket()), 'it ends', 8000);
}, 20_000);
