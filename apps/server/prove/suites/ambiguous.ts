import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, NexusError, NexusUnreachable } from '@nexus/client';
import { openPostgres } from '../../src/engines/database/postgres.ts';
import { createTestDatabase, migrations, people, spawnServer, terminal } from '../../test/harness.ts';
import { auditAnswers, auditLedger } from '../../test/lib/audit.ts';
import { scenes, stateOf, type Verb, verbs } from '../../test/lib/scenes.ts';
import { createReport, type OpenReport, type Suite } from '../lib/suite.ts';
import { type Proxy, startProxy } from '../world/proxy.ts';

/** What PostgreSQL says after a commit, and how an HTTP answer begins. */
const COMMITTED = 'COMMIT\0';
const ANSWER = 'HTTP/1.1 ';

export const ambiguous: Suite = {
  name: 'ambiguous',
  shows: 'the word that a change was committed is lost on its way to the server, or to the client: a retry has one effect and one answer',
  needs: 'team',
  async run({ quick, random, note }) {
    const report = createReport();
    const database = await createTestDatabase();
    const dataDir = mkdtempSync(join(tmpdir(), 'nexus-ambiguous-'));
    const toDatabase = await startProxy(Number(new URL(database.url).port));
    const through = new URL(database.url);
    through.port = String(toDatabase.port);
    const env = {
      NEXUS_DATA_DIR: dataDir,
      DATABASE_URL: through.href,
      REDIS_URL: process.env['TEST_REDIS_URL'] ?? '',
      LOG_LEVEL: 'warn',
      // Nobody beats here: losing an earlier scene's session would be a commit, and its reply the one that is lost.
      LEASE_TTL_SECONDS: '3600',
    };
    const server = await spawnServer(env);
    const toServer = await startProxy(Number(new URL(server.url).port));
    const ledger = await openPostgres({ url: database.url, migrations, poolSize: 2 });
    try {
      const lead = await people(server.anonymous).engineer('Lead');
      // A project for each round, since a scene looks at its first hundred features.
      for (let round = 0; round < (quick ? 1 : 25); round += 1) {
        const { id: projectId } = await lead.createProject({ body: { name: 'Project', slug: `project-${round}` } });
        const world = { lead, projectId, toDatabase, toServer, report };
        for (const verb of random.shuffled(verbs)) {
          await lostReply(world, verb, random.chance(0.7) ? 'commit' : 'answer').catch((error: unknown) =>
            report.broken(String(error), verb),
          );
        }
        await sameKey(world);
        report.broken(await auditAnswers(lead, projectId), `round ${round}`);
        report.broken(await auditLedger(ledger, projectId), `round ${round}`);
        if (round % 5 === 4) note(`${report.faults} replies lost`);
        if (report.violations.length > 0) break;
      }
      for (const line of server.output().split('\n')) if (line.includes('a bug')) report.broken(line);
    } finally {
      server.kill();
      await server.exited;
      await ledger.close();
      await Promise.all([toDatabase.stop(), toServer.stop()]);
      await database.drop();
      rmSync(dataDir, { recursive: true, force: true });
    }
    return report;
  },
};

type World = { lead: Client; projectId: string; toDatabase: Proxy; toServer: Proxy; report: OpenReport };

/** Says the verb so that it takes place and nobody hears of it, and then says it again. */
async function lostReply({ lead, projectId, toDatabase, toServer, report }: World, verb: Verb, lost: 'commit' | 'answer') {
  const where = `${verb}, its ${lost} lost`;
  const client = lost === 'commit' ? lead : lead.with({ server: `http://127.0.0.1:${toServer.port}` });
  const scene = await scenes[verb]({ lead: client, projectId, name: `${verb}-${crypto.randomUUID().slice(0, 8)}` });
  const key = crypto.randomUUID();
  const proxy = lost === 'commit' ? toDatabase : toServer;
  const happened = proxy.loseReply(lost === 'commit' ? COMMITTED : ANSWER);
  const [first] = await Promise.all([
    scene.act(key, { retries: 0 }).catch((error: unknown) => error),
    Promise.race([happened, Bun.sleep(5000)]),
  ]);
  proxy.loseNothing();
  report.operations += 3;
  report.faults += 1;
  const unknown = first instanceof NexusUnreachable || (first instanceof NexusError && first.status === 503);
  // What is no POST is sent again by the client's own transport, when its connection breaks.
  const sentAgain = lost === 'answer' && (verb === 'unclaim' || verb === 'update');
  report.expect(unknown || sentAgain, `${where}: it was answered, ${JSON.stringify(first)}`);
  const look = () => stateOf(lead, projectId, scene);
  const after = await look();
  report.expect(scene.isDone(after), `${where}: it is not there: ${JSON.stringify(after)}`);
  const again = await scene.act(key);
  report.expect(Bun.deepEquals(await look(), after), `${where}: the retry did it again`);
  report.expect(Bun.deepEquals(await scene.act(key), again), `${where}: two retries, two answers`);
  report.expect(Bun.deepEquals(await look(), after), `${where}: the second retry did it again`);
}

/** Two calls at once under one key are one call; another call under it is refused. */
async function sameKey({ lead, projectId, report }: World) {
  const agent = await terminal(lead, projectId);
  const key = { idempotencyKey: crypto.randomUUID() };
  const before = (await lead.events({ projectId, query: { after: '0', limit: 1000 } })).items.length;
  const body = { paths: [`same/${crypto.randomUUID()}.ts`] };
  const once = () => agent.with({ retries: 5 }).claim({ projectId, body }, key);
  const answers = await Promise.allSettled([once(), once(), once()]);
  const heard = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  const refusals = answers.flatMap((answer) => (answer.status === 'rejected' ? [(answer.reason as NexusError).code] : []));
  report.operations += 4;
  report.expect(heard.length > 0, 'one key at once: nobody was answered');
  for (const answer of heard) report.expect(Bun.deepEquals(answer, heard[0]), 'one key at once: two answers');
  report.expect(
    refusals.every((code) => code === 'REQUEST_IN_PROGRESS'),
    `one key at once: ${refusals.join()}`,
  );
  const after = (await lead.events({ projectId, query: { after: '0', limit: 1000 } })).items.length;
  report.expect(after === before + 1, `one key at once: ${after - before} events`);
  const other = await agent.claim({ projectId, body: { paths: ['another.ts'] } }, key).catch((error: unknown) => error);
  report.expect(other instanceof NexusError && other.status === 422, `another call under one key: ${JSON.stringify(other)}`);
}
