import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { startServer, type TestServer } from '../../server/test/harness.ts';
import { readHistory, replay, touchesOf, type Worker } from './lib/day.ts';
import { git, makeFolder, makeMachine, makeRepository, write } from './lib/hook-world.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer('embedded', { REGISTRATION: 'open' });
});
afterAll(() => server.stop());

/** Always the same day: who goes on is drawn from a fixed seed. */
function drawn(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 16;
  };
}

const history = readHistory();

function makeCheckout(dir: string, link: object): string {
  makeRepository(dir, link);
  for (const path of new Set(history.flatMap(({ paths }) => paths))) write(dir, path, `${path}\n`);
  git(dir, 'add', '-A');
  git(dir, 'commit', '-qm', 'the files of the history');
  return dir;
}

for (const [where, most] of [
  ['one checkout', 200],
  ['two checkouts, of two engineers', 120],
] as const) {
  test(`a day’s work of two agents in ${where}: every true conflict is denied, no other, and nothing is said when nothing changed`, async () => {
    const { projectId, lead } = await server.project();
    const other = await server.engineer('Bob');
    await lead.addMember({ projectId, body: { engineerId: other.engineer.id } });
    const folder = makeFolder();
    const one = makeMachine({ server, client: lead, home: join(folder.dir, 'ann') });
    const two = where === 'one checkout' ? one : makeMachine({ server, client: other, home: join(folder.dir, 'bob') });
    try {
      const link = { server: server.url, projectId, slug: 'p' };
      const first = makeCheckout(join(folder.dir, 'first'), link);
      const second = one === two ? first : makeCheckout(join(folder.dir, 'second'), link);
      for (const [index, work] of history.entries()) {
        const slug = `work-${index}`;
        await lead.createFeature({ projectId, body: { slug, title: slug, spec: work.subject, touches: touchesOf(work) } });
        await lead.readyFeature({ projectId, slug });
      }
      const workers: Worker[] = [
        { name: 'one', agent: one.agent(first), machine: one, dir: first },
        { name: 'two', agent: two.agent(second), machine: two, dir: second },
      ];
      for (const { agent } of workers) await agent.start();

      const began = performance.now();
      const day = await replay(projectId, workers, history, { turn: drawn(7), most });
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      console.log(
        `${where}: ${day.calls} tool calls in ${seconds} s, ${day.denials} denied, ${day.refusedPicks} picks refused, ${day.wrong.length} misjudged, ${day.unprompted.length} with words that nothing called for`,
      );
      expect(day).toMatchObject({ wrong: [], unprompted: [] });
      expect(day.calls).toBeGreaterThanOrEqual(most);
      expect(day.denials).toBeGreaterThan(0);
      const names = new Map(workers.map(({ name, agent }) => [agent.sessionId, name]));
      const { claims, sessions } = await lead.status({ projectId });
      const nameOf = (id: string) => names.get(sessions.find((session) => session.id === id)?.agentSessionId ?? '') ?? '?';
      expect(claims.map(({ filePath, sessionId }) => `${filePath} ${nameOf(sessionId)}`).sort()).toEqual(day.held);
    } finally {
      one.stop();
      two.stop();
      folder.remove();
    }
  }, 60_000);
}
