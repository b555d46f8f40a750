import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'bun:test';
import { openPglite } from '../src/engines/database/pglite.ts';
import { eventually, migrations, people, spawnServer } from './harness.ts';
import { auditHistory } from './lib/audit-history.ts';
import { auditAnswers, auditLedger } from './lib/audit.ts';
import { restartableServer } from './lib/restartable.ts';
import { overlappingFeatures, startWorkload } from './lib/workload.ts';

const KILLS = 15;
const CLIENTS = 8;

describe('embedded', () => {
  const base = mkdtempSync(join(tmpdir(), 'nexus-embedded-'));
  const dataDir = join(base, 'data');
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  test(`killed ${KILLS} times while ${CLIENTS} clients pick and release: nothing that was acknowledged is lost, and no rule is broken`, async () => {
    const server = restartableServer({ NEXUS_DATA_DIR: dataDir, LEASE_TTL_SECONDS: '10', GRACE_SECONDS: '1' });
    await server.start();
    const { project } = people(server.anonymous);
    const { projectId, lead } = await project();
    await overlappingFeatures(lead, projectId, 12);
    const work = startWorkload({ clients: [lead], projectId, agents: CLIENTS, beatMs: 500 });

    let before = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      before = work.acknowledged();
      await eventually('the clients get on', () => work.acknowledged() >= before + CLIENTS, 60_000);
      // At any moment of their work, not after an answer.
      await Bun.sleep(Math.random() * 30);
      await server.kill();
      await server.start();
    }
    await work.stop();
    expect(await auditAnswers(lead, projectId)).toEqual([]);
    await server.kill();

    expect(work.bugs).toEqual([]);
    expect(work.lost).toEqual([]);
    const database = await openPglite({ dataDir, migrations });
    expect(await auditLedger(database, projectId)).toEqual([]);
    expect(await auditHistory(database.db, projectId, work.history)).toEqual([]);
    await database.close();
  }, 300_000);

  test('a second server on its data directory ends with code 1 and names the first one', async () => {
    const first = await spawnServer({ NEXUS_DATA_DIR: dataDir });
    const second = await spawnServer({ NEXUS_DATA_DIR: dataDir }).catch((error: unknown) => String(error));
    expect(second).toContain('ended with 1');
    expect(second).toContain(
      `Another Nexus server (process ${first.pid}) uses the data directory ${dataDir}. Stop it, or set NEXUS_DATA_DIR`,
    );
    expect((await fetch(`${first.url}/api/health/ready`)).status).toBe(200);
    first.kill();
    await first.exited;
  }, 60_000);

  test('of six servers that start at once on one data directory exactly one serves', async () => {
    const starts = await Promise.allSettled(Array.from({ length: 6 }, () => spawnServer({ NEXUS_DATA_DIR: dataDir })));
    const serving = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    const refused = starts.flatMap((start) => (start.status === 'rejected' ? [String(start.reason)] : []));
    expect(serving).toHaveLength(1);
    for (const refusal of refused) expect(refusal).toMatch(/ended with 1[^]*Another Nexus server/);
    serving[0]?.kill();
    await serving[0]?.exited;
  }, 120_000);

  test('six processes reach for a directory at the same moment, 100 times: each time one of them gets it', async () => {
    const directories = Array.from({ length: 100 }, (_, round) => join(base, `round-${round}`));
    for (const directory of directories) mkdirSync(directory);
    const contender = fileURLToPath(new URL('lib/take-lock.ts', import.meta.url));
    const start = String(Date.now() + 1500);
    const contenders = Array.from({ length: 6 }, () =>
      Bun.spawn([process.execPath, contender, start, ...directories], { stdin: 'pipe', stdout: 'pipe' }),
    );
    const taken = await Promise.all(
      contenders.map(async ({ stdout }) => {
        for await (const chunk of stdout) return JSON.parse(new TextDecoder().decode(chunk)) as string[];
        return [];
      }),
    );
    expect(taken.flat().sort()).toEqual([...directories].sort());
    for (const { stdin } of contenders) await stdin.end();
    await Promise.all(contenders.map(({ exited }) => exited));
  }, 60_000);
});
