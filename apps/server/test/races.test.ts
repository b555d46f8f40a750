import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
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

  /** All at once, as plain requests: the less each costs, the closer they come. How each fared. */
  async function race(slugOf: (agent: number) => string) {
    const answers = await Promise.all(
      agents.map(({ sessionId, options }, index) =>
        fetch(`${server.url}/api/projects/${projectId}/features/${slugOf(index)}/pick`, {
          method: 'POST',
          headers: { authorization: `Bearer ${options.apiKey}`, 'x-nexus-session': sessionId },
        }),
      ),
    );
    const winners = answers.flatMap(({ ok }, index) => (ok ? [index] : []));
    const refusals = answers.flatMap(({ ok, status }) => (ok ? [] : [status]));
    await Promise.all(answers.map((answer) => answer.arrayBuffer()));
    return { winners, refusals };
  }

  async function expectOneWinner(slugOf: (agent: number) => string) {
    const { winners, refusals } = await race(slugOf);
    expect(winners).toHaveLength(1);
    expect([...new Set(refusals)]).toEqual([409]);
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

  const rivals: Array<[string, string[], string[]]> = [
    ['shared', ['p/shared.ts', 'p/left.ts'], ['p/right.ts', 'p/shared.ts']],
    ['above', ['q/'], ['q/deep/er/file.ts']],
    ['spelled', ['r/File.ts', 'r/é.ts'], ['./r//x/../file.TS', 'other.ts']],
  ];
  test('64 sessions pick different features that share a path, one above the other, or by another spelling, 201 times: one gets one', async () => {
    for (const [name, left, right] of rivals) {
      await readyFeature(lead, projectId, `${name}-1`, left);
      await readyFeature(lead, projectId, `${name}-2`, right);
    }
    for (let round = 0; round < ROUNDS + 1; round += 1) {
      const [name] = rivals[round % rivals.length] ?? [''];
      await expectOneWinner((agent) => `${name}-${1 + (agent % 2)}`);
    }
  }, 600_000);
});
