import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../lib/processes.ts';
import { makeProject } from '../lib/project.ts';
import { type Context, type Measured, median, type Row } from '../lib/row.ts';

const goal = 2;

export const start: Row = { name: 'start', about: 'start with existing data, from the command to ready', run };

async function run({ engines, team, quick }: Context): Promise<Measured[]> {
  const folder = mkdtempSync(join(tmpdir(), 'nexus-bench-data-'));
  const env = {
    NEXUS_DATA_DIR: join(folder, 'data'),
    API_KEY_SALT: crypto.randomUUID(),
    ...(engines === 'team' && team ? { DATABASE_URL: await team.database('start'), REDIS_URL: team.redisUrl } : {}),
  };
  try {
    const seconds: number[] = [];
    for (let round = 0; round <= (quick ? 2 : 5); round += 1) {
      const began = performance.now();
      const server = await startServer(env);
      while (!(await fetch(`${server.url}/api/health/ready`)).ok) await Bun.sleep(10);
      if (round > 0) seconds.push((performance.now() - began) / 1000);
      else await makeProject(server.url, 16);
      await server.stop();
    }
    const ours = median(seconds);
    const limit = engines === 'embedded' ? { goal: `< ${goal} s`, met: ours < goal } : { goal: '-', met: true };
    return [
      {
        what: start.about,
        unit: 's',
        ours,
        baseline: undefined,
        ratio: undefined,
        ...limit,
        more: `starts: ${seconds.map((each) => each.toFixed(2)).join(' ')} s`,
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
