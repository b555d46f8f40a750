import { residentMemory } from '../lib/memory.ts';
import { startServer } from '../lib/processes.ts';
import { makeProject } from '../lib/project.ts';
import type { Context, Measured, Row } from '../lib/row.ts';

const goal = 150;

export const idle: Row = { name: 'idle', about: 'memory of an idle server', run };

/** Idle is: served once, then left alone. */
async function run({ engines, team, quick, bunArgs }: Context): Promise<Measured[]> {
  const env: Record<string, string> =
    engines === 'team' && team ? { DATABASE_URL: await team.database('idle'), REDIS_URL: team.redisUrl } : {};
  const server = await startServer(env, bunArgs);
  try {
    await makeProject(server.url, 4);
    await Bun.sleep(quick ? 3000 : 15_000);
    const ours = (await residentMemory(server.url)) / 2 ** 20;
    // The design sets no goal for a server that has its database inside.
    const limit = engines === 'team' ? { goal: `< ${goal} MB`, met: ours < goal } : { goal: '-', met: true };
    return [{ what: idle.about, unit: 'MB', ours, baseline: undefined, ratio: undefined, ...limit }];
  } finally {
    await server.stop();
  }
}
