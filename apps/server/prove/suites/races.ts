import type { Client } from '@nexus/client';
import { canRun, type EngineSet, readyFeature, startServer, terminal, type TestServer } from '../../test/harness.ts';
import { createReport, type OpenReport, type Suite } from '../lib/suite.ts';

const SESSIONS = 64;

/** Two features of which only one can be held: they share a path, one lies above or matches the other, or is spelled otherwise. */
const rivals: Array<[string, string[], string[]]> = [
  ['one', ['one/a.ts', 'one/b.ts'], ['one/b.ts']],
  ['shared', ['p/shared.ts', 'p/left.ts'], ['p/right.ts', 'p/shared.ts']],
  ['above', ['q/'], ['q/deep/er/file.ts']],
  ['spelled', ['r/File.ts', 'r/é.ts'], ['./r//x/../file.TS', 'other.ts']],
  ['matched', ['s/**/*.ts'], ['s/deep/er/file.ts']],
  ['patterns', ['t/left-*.ts'], ['t/**/*-right.ts']],
];

export const races: Suite = {
  name: 'races',
  shows: `of ${SESSIONS} sessions of one engineer that pick at once, the same or overlapping features, one gets its paths`,
  needs: 'nothing',
  async run({ quick, first }) {
    const report = createReport();
    // PGlite runs one transaction after the other, so who looks for a mistake finds it on Postgres.
    for (const set of ['team', 'embedded'] as const)
      if (canRun(set)) await raceOn(set, { report, first, rounds: rivals.length * (quick ? 8 : 200) });
    return report;
  },
};

async function raceOn(set: EngineSet, { report, first, rounds }: { report: OpenReport; first: boolean; rounds: number }) {
  const server = await startServer(set);
  try {
    const { projectId, lead } = await server.project();
    const agents = await Promise.all(Array.from({ length: SESSIONS }, () => terminal(lead, projectId)));
    for (const [name, left, right] of rivals) {
      await readyFeature(lead, projectId, `${name}-1`, left);
      await readyFeature(lead, projectId, `${name}-2`, right);
    }
    for (let round = 0; round < rounds; round += 1) {
      const [name] = rivals[round % rivals.length] ?? [''];
      // The same feature, or two that overlap: the one is refused by its state, the others by their paths.
      const slugOf = (agent: number) => `${name}-${name === 'one' ? 1 : 1 + (agent % 2)}`;
      await oneRound({ server, projectId, lead, agents, report }, slugOf, `${set}, round ${round}`);
      report.operations += SESSIONS;
      if (first && report.violations.length > 0) return;
    }
  } finally {
    await server.stop();
  }
}

type Race = { server: TestServer; projectId: string; lead: Client; agents: Array<Client & { sessionId: string }>; report: OpenReport };

/** All at once, as plain requests: the less each costs, the closer they come. */
async function oneRound({ server, projectId, lead, agents, report }: Race, slugOf: (agent: number) => string, where: string) {
  const answers = await Promise.all(
    agents.map(async ({ sessionId, options }, position) => {
      const response = await fetch(`${server.url}/api/projects/${projectId}/features/${slugOf(position)}/pick`, {
        method: 'POST',
        headers: { authorization: `Bearer ${options.apiKey}`, 'x-nexus-session': sessionId },
      });
      await response.arrayBuffer();
      return response.status;
    }),
  );
  const winners = agents.filter((_, position) => answers[position] === 200);
  const odd = answers.filter((status) => status !== 200 && status !== 409);
  report.expect(winners.length === 1, `${where}: ${winners.length} sessions won`);
  report.expect(odd.length === 0, `${where}: somebody was answered ${odd[0]}`);
  const held = new Set((await lead.listClaims({ projectId })).map(({ sessionId }) => sessionId));
  report.expect(held.size === 1 && held.has(winners[0]?.sessionId ?? ''), `${where}: ${held.size} sessions hold`);
  for (const winner of winners) {
    const slug = slugOf(agents.indexOf(winner));
    await winner.releaseFeature({ projectId, slug }).catch((error: unknown) => report.broken(String(error), where));
  }
  report.expect((await lead.listClaims({ projectId })).length === 0, `${where}: something is held when all is given back`);
}
