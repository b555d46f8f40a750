import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'bun:test';
import { spawnServer } from './harness.ts';

describe('embedded', () => {
  const base = mkdtempSync(join(tmpdir(), 'nexus-embedded-'));
  const dataDir = join(base, 'data');
  afterAll(() => rmSync(base, { recursive: true, force: true }));

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
