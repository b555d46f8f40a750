import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'bun:test';
import { closeCodes } from '@nexus/contract';
import { hasRedisServer, privateRedis } from '../src/engines/private-redis.suite.ts';
import {
  canRun,
  createTestDatabase,
  type EngineSet,
  eventually,
  onEachEngineSet,
  people,
  readyFeature,
  type ServerProcess,
  spawnServer,
  terminal,
} from './harness.ts';
import { freePort } from './lib/restartable.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const folders: string[] = [];
const folder = () => {
  const made = mkdtempSync(join(tmpdir(), 'nexus-startup-'));
  folders.push(made);
  return made;
};
/** Shared by what leaves it as it was: the first start in a directory takes seconds. */
const embedded = folder();
afterAll(() => folders.forEach((made) => rmSync(made, { recursive: true, force: true })));

/** A start that fails: what it said, and its exit code. */
async function refusedStart(env: Record<string, string>): Promise<{ code: number; lines: string[] }> {
  const child = Bun.spawn([process.execPath, main], {
    env: { PATH: process.env['PATH'] ?? '', NEXUS_DATA_DIR: folder(), ...env },
    stdout: 'ignore',
    stderr: 'pipe',
  });
  const text = await new Response(child.stderr).text();
  return {
    code: await child.exited,
    lines: text
      .trim()
      .split('\n')
      .map((line) => line.trim()),
  };
}

const redisUrl = process.env['TEST_REDIS_URL'] ?? '';
async function team(work: (env: Record<string, string>) => Promise<void>) {
  const database = await createTestDatabase();
  try {
    await work({ NEXUS_DATA_DIR: folder(), DATABASE_URL: database.url, REDIS_URL: redisUrl });
  } finally {
    await database.drop();
  }
}

describe('a start that cannot be', () => {
  test('says one line for each mistake in the configuration, and ends with code 1', async () => {
    const { code, lines } = await refusedStart({
      PORT: 'eighty',
      LEASE_TTL_SECONDS: '1',
      REDIS_URL: 'http://127.0.0.1',
      LOG_LEVEL: 'loud',
    });
    expect(code).toBe(1);
    expect(lines).toEqual([
      'nexus cannot start:',
      expect.stringMatching(/^REDIS_URL: must begin with redis:/),
      expect.stringMatching(/^PORT: /),
      expect.stringMatching(/^LOG_LEVEL: /),
      expect.stringMatching(/^LEASE_TTL_SECONDS: /),
    ]);
  });

  test('names what is missing beside DATABASE_URL', async () => {
    const { code, lines } = await refusedStart({ DATABASE_URL: 'postgres://127.0.0.1/nexus' });
    expect(code).toBe(1);
    expect(lines).toEqual(['nexus cannot start:', expect.stringMatching(/^API_KEY_SALT: is required with DATABASE_URL/)]);
  });

  test('names the port that is in use, and what to do', async () => {
    const other = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } });
    const { code, lines } = await refusedStart({ PORT: String(other.port), LOG_LEVEL: 'silent', NEXUS_DATA_DIR: embedded });
    other.stop(true);
    expect(code).toBe(1);
    expect(lines).toEqual(['nexus cannot start:', expect.stringContaining(`PORT: ${other.port} is in use`)]);
  }, 60_000);

  test('names the database that does not answer, without a stack', async () => {
    const { code, lines } = await refusedStart({
      DATABASE_URL: `postgres://postgres@127.0.0.1:${freePort()}/nexus`,
      API_KEY_SALT: 'x1'.repeat(20),
    });
    expect(code).toBe(1);
    expect(lines).toEqual(['nexus cannot start:', expect.stringMatching(/^DATABASE_URL: .*(refused|ECONNREFUSED)/)]);
  }, 60_000);
});

onEachEngineSet('the end', (set: EngineSet) => {
  const withServer = async (work: (server: ServerProcess) => Promise<void>) => {
    const run = async (env: Record<string, string>) => {
      const server = await spawnServer({ LOG_LEVEL: 'warn', ...env });
      await work(server).finally(() => server.kill());
    };
    await (set === 'team' ? team(run) : run({ NEXUS_DATA_DIR: embedded }));
  };

  test('SIGTERM: what is under way is answered, sockets close with 1001, and it ends with code 0', async () => {
    await withServer(async (server) => {
      const { projectId, lead } = await people(server.anonymous).project();
      const agents = await Promise.all(Array.from({ length: 8 }, () => terminal(lead, projectId)));
      await Promise.all(agents.map((_, position) => readyFeature(lead, projectId, `feature-${position}`, [`${position}/`])));
      const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws`, {
        headers: { authorization: `Bearer ${lead.options.apiKey}` },
      } as never);
      const closed = new Promise<number>((resolve) => socket.addEventListener('close', ({ code }) => resolve(code)));
      await eventually('the socket is open', () => socket.readyState === WebSocket.OPEN);
      socket.send(JSON.stringify({ type: 'join', projectId }));
      const stream = await fetch(`${server.url}/api/projects/${projectId}/events`, {
        headers: { authorization: `Bearer ${lead.options.apiKey}`, accept: 'text/event-stream' },
      });

      const picks = agents.map((agent, position) => agent.pickFeature({ projectId, slug: `feature-${position}` }));
      // Bytes of all of them have arrived once one is answered.
      await Promise.race(picks);
      server.kill('SIGTERM');
      const answers = await Promise.allSettled(picks);
      expect(await closed).toBe(closeCodes.goingAway);
      await stream.text().catch(() => '');
      expect(await Promise.race([server.exited, Bun.sleep(15_000)])).toBe(0);
      for (const answer of answers) {
        // A pick that came too late is refused as such; none is left without an answer.
        if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ status: 503 });
      }
    });
  }, 60_000);
});

describe.skipIf(!canRun('team'))('team', () => {
  test.skipIf(!hasRedisServer)(
    'while Redis is away a server starts, serves degraded, and is whole once Redis is there',
    async () => {
      const redis = await privateRedis();
      await team(async (env) => {
        const server = await spawnServer({ ...env, REDIS_URL: redis.url, LOG_LEVEL: 'silent' });
        const { projectId, lead } = await people(server.anonymous).project();
        const agent = await terminal(lead, projectId);
        await readyFeature(lead, projectId, 'feature', ['src/']);
        expect((await agent.pickFeature({ projectId, slug: 'feature' })).status).toBe('active');
        expect((await agent.heartbeat({ projectId, sessionId: agent.sessionId })).degraded).toBe(true);
        expect(await (await fetch(`${server.url}/api/health`)).json()).toMatchObject({ status: 'degraded' });

        await redis.start();
        await eventually('heartbeats are whole', async () => !(await agent.heartbeat({ projectId, sessionId: agent.sessionId })).degraded);
        expect((await agent.heartbeat({ projectId, sessionId: agent.sessionId })).holds).toEqual([{ featureSlug: 'feature', fence: 1 }]);
        await eventually(
          'health is whole',
          async () => ((await (await fetch(`${server.url}/api/health`)).json()) as { status: string }).status === 'ok',
        );
        server.kill();
        await server.exited;
      });
      await redis.remove();
    },
    60_000,
  );
});
