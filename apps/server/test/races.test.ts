import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { Client, NexusError } from '@nexus/client';
import { onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';

const SESSIONS = 64;
const ROUNDS = 200;

onEachEngineSet('races', (set) => {
  let server: TestServer;
  let agents: Array<Client & { sessionId: string }>;
  let projectId: string;
  let lead: Client;

  beforeAll(async () => {
    server = await startServer(set);
    ({ projectId, lead } = await server.project());
    agents = await Promise.all(Array.from({ length: SESSIONS }, () => terminal(lead, projectId)));
  });
  afterAll(() => server.stop());

  /** All at once; how each fared. */
  async function race(slugOf: (agent: number) => string) {
    const results = await Promise.allSettled(agents.map((agent, index) => agent.pickFeature({ projectId, slug: slugOf(index) })));
    const winners = results.flatMap((result, index) => (result.status === 'fulfilled' ? [index] : []));
    const losers = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as NexusError] : []));
    return { winners, losers };
  }

  async function expectOneWinner(slugOf: (agent: number) => string) {
    const { winners, losers } = await race(slugOf);
    expect(winners).toHaveLength(1);
    expect([...new Set(losers.map((error) => error.status))]).toEqual([409]);
    const winner = agents[winners[0] ?? 0];
    const slug = slugOf(winners[0] ?? 0);
    const held = await lead.listClaims({ projectId });
    expect(held.length).toBeGreaterThan(0);
    expect(new Set(held.map(({ sessionId }) => sessionId))).toEqual(new Set([winner?.sessionId ?? '']));
    await winner?.releaseFeature({ projectId, slug });
    expect(await lead.listClaims({ projectId })).toEqual([]);
  }

  test('64 sessions pick one feature, 200 times: one gets it, the others hold nothing', async () => {
    await readyFeature(lead, projectId, 'one', ['one/a.ts', 'one/b.ts']);
    for (let round = 0; round < ROUNDS; round += 1) await expectOneWinner(() => 'one');
  }, 600_000);

  const rivals: Array<[string, [string[], string[]]]> = [
    [
      'that share one path',
      [
        ['p/shared.ts', 'p/left.ts'],
        ['p/right.ts', 'p/shared.ts'],
      ],
    ],
    ['of which one claims a directory above the other', [['q/'], ['q/deep/er/file.ts']]],
    [
      'whose paths differ by spelling only',
      [
        ['r/File.ts', 'r/é.ts'],
        ['./r//x/../file.TS', 'other.ts'],
      ],
    ],
  ];
  for (const [what, [left, right]] of rivals) {
    test(`64 sessions pick two features ${what}, 200 times: one gets one of them, the others hold nothing`, async () => {
      const name = what.replaceAll(/\W+/g, '-');
      await readyFeature(lead, projectId, `${name}-1`, left);
      await readyFeature(lead, projectId, `${name}-2`, right);
      for (let round = 0; round < ROUNDS; round += 1) await expectOneWinner((agent) => `${name}-${1 + (agent % 2)}`);
    }, 600_000);
  }
});
