import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, NexusUnreachable } from '@nexus/client';
import type { Database } from '../../src/engines/database/database.ts';
import { openPglite } from '../../src/engines/database/pglite.ts';
import { openPostgres } from '../../src/engines/database/postgres.ts';
import { canRun, createTestDatabase, type EngineSet, eventually, migrations, people } from '../../test/harness.ts';
import { auditAnswers, auditIndex, auditLedger } from '../../test/lib/audit.ts';
import { keepalive } from '../../test/lib/keepalive.ts';
import { restartableServer } from '../../test/lib/restartable.ts';
import { type Scene, scenes, stateOf } from '../../test/lib/scenes.ts';
import { createReport, type OpenReport, type Run, type Suite } from '../lib/suite.ts';
import { type CrashPoint, crashPoints, hasHappened } from './crash-points.ts';

const TTL = 4;
const GRACE = 1;
/** When a process dies is never quite the same. Embedded a start takes seconds, and there is no second server. */
const trialsOf = { embedded: 1, team: 3 };

export const crashes: Suite = {
  name: 'crashes',
  shows: 'a server killed at each step of each verb: all of it or nothing happened, a retry has one effect, what nobody retries comes free',
  needs: 'nothing',
  async run(run) {
    const report = createReport();
    // Beside each other, for most of it is waiting for a server to be back.
    const trials = async (set: EngineSet) => {
      for (let trial = 0; trial < (run.quick || run.first ? 1 : trialsOf[set]); trial += 1) await crashOn(set, run, report);
    };
    await Promise.all((['embedded', 'team'] as const).filter(canRun).map(trials));
    return report;
  },
};

async function crashOn(set: EngineSet, { quick, first, only, random, note }: Run, report: OpenReport) {
  const plan = crashPoints(set, quick, random).filter(({ verb }) => only.length === 0 || only.includes(verb));
  const dataDir = mkdtempSync(join(tmpdir(), 'nexus-crashes-'));
  const own = set === 'team' ? await createTestDatabase() : undefined;
  const team = own && { DATABASE_URL: own.url, REDIS_URL: process.env['TEST_REDIS_URL'] ?? '' };
  const server = restartableServer({
    NEXUS_DATA_DIR: dataDir,
    LEASE_TTL_SECONDS: String(TTL),
    GRACE_SECONDS: String(GRACE),
    ...team,
  });
  let ledger: Database | undefined;
  let keeper: ReturnType<typeof keepalive> | undefined;
  try {
    await server.start();
    if (own) ledger = await openPostgres({ url: own.url, migrations, poolSize: 2 });
    const lead = await people(server.anonymous).engineer('Lead');
    keeper = keepalive({ client: lead, everyMs: 300 });
    const { id: projectId } = await lead.createProject({ body: { name: 'Project', slug: 'project' } });
    const world = { set, server, lead, projectId, ledger, report };
    const prepared: Array<{ crash: CrashPoint; scene: Scene }> = [];
    for (const [position, crash] of plan.entries()) {
      const scene = await scenes[crash.verb]({ lead, projectId, name: `${crash.verb}-${position}` });
      prepared.push({ crash, scene });
      keeper.add(...scene.sessions);
    }
    for (const [position, { crash, scene }] of prepared.entries()) {
      if (position % 20 === 19) note(`${set}, ${position + 1} of ${plan.length} crashes`);
      const where = `${set}, ${crash.verb}.${crash.point}${crash.retries ? ', retried' : ''}`;
      const next = prepared[position + 1]?.crash;
      await oneCrash(world, crash, scene, next?.verb === crash.verb ? undefined : next).catch((error: unknown) =>
        report.broken(String(error), where),
      );
      report.faults += 1;
      if (first && report.violations.length > 0) return;
    }
    if (!quick && only.length === 0) await crashTheSweep(world, keeper);
    keeper.forget(...prepared.flatMap(({ scene }) => scene.sessions));
    // Looking takes a while too, on a busy machine.
    await eventually(
      `${set}: what nobody comes back for is free or parked after ${TTL + GRACE + 2} s`,
      async () => (await lead.status({ projectId })).claims.every(({ parked }) => parked),
      (TTL + GRACE + 2) * 1000 + 10_000,
    );
    report.broken(await auditAnswers(lead, projectId), set);
    await server.kill();
    const database = ledger ?? (await openPglite({ dataDir, migrations }));
    report.broken(await auditLedger(database, projectId), set);
    if (!ledger) await database.close();
  } finally {
    await keeper?.stop();
    await server.kill();
    await ledger?.close();
    await own?.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

type World = {
  set: EngineSet;
  server: ReturnType<typeof restartableServer>;
  lead: Client;
  projectId: string;
  ledger: Database | undefined;
  report: OpenReport;
};

/** Runs the verb against a server that ends itself there; then looks, and says the verb again or does not. */
async function oneCrash(world: World, crash: CrashPoint, scene: Scene, next: CrashPoint | undefined) {
  const { set, server, lead, projectId, report } = world;
  const where = `${set}, ${crash.verb}.${crash.point}${crash.retries ? ', retried' : ''}`;
  const key = crypto.randomUUID();
  const look = () => stateOf(lead, projectId, scene);
  await server.start(`${crash.verb}.${crash.point}`);
  const before = await look();
  const answer = await scene.act(key, { retries: 0 }).catch((error: unknown) => error);
  report.operations += 1;
  report.expect(answer instanceof NexusUnreachable, `${where}: it was answered, ${JSON.stringify(answer)}`);
  if (!(answer instanceof NexusUnreachable)) return;
  await server.ended();
  await server.start(next && `${next.verb}.${next.point}`);

  const after = await look();
  if (crash.point === 'condemned') {
    // Lost by whoever sweeps; a store that went with the process has forgotten it.
    if (set === 'team') await eventually('the sweep finishes what the crash left', async () => scene.isDone(await look()), 10_000);
  } else if (hasHappened(crash)) report.expect(scene.isDone(after), `${where}: not all of it is there: ${JSON.stringify(after)}`);
  else report.expect(Bun.deepEquals(after, before), `${where}: some of it is there: ${JSON.stringify(after)}`);
  await expectSound(world, scene, where);
  if (!crash.retries) return;

  const first = await scene.act(key);
  const done = await look();
  report.expect(scene.isDone(done), `${where}: the retry did not do it: ${JSON.stringify(done)}`);
  if (hasHappened(crash)) report.expect(Bun.deepEquals(done, after), `${where}: the retry did it again`);
  const second = await scene.act(key);
  report.operations += 2;
  report.expect(Bun.deepEquals(first, second), `${where}: two retries, two answers: ${JSON.stringify([first, second])}`);
  report.expect(Bun.deepEquals(await look(), done), `${where}: the second retry changed something`);
  await expectSound(world, scene, where);
}

async function expectSound({ lead, projectId, ledger, report }: World, { name }: Scene, where: string) {
  report.broken(await auditAnswers(lead, projectId), where);
  if (ledger) report.broken(await auditLedger(ledger, projectId), where);
  const agrees = async () => (await auditIndex(lead, projectId, { under: `${name}/` })).length === 0;
  await eventually(`${where}: the index agrees with the ledger`, agrees, 10_000);
}

/** While it loses a silent session, at each step: whoever sweeps next loses that one in the end, and its feature is free. */
async function crashTheSweep(world: World, keeper: ReturnType<typeof keepalive>) {
  const { set, server, lead, projectId, report } = world;
  for (const point of ['condemned', 'locked', 'written']) {
    await server.start();
    const scene = await scenes.release({ lead, projectId, name: `swept-${point}` });
    keeper.add(...scene.sessions);
    await server.start(`lose.${point}`);
    keeper.forget(...scene.sessions);
    await server.ended();
    await server.start();
    report.faults += 1;
    await expectSound(world, scene, `${set}, sweep, lose.${point}`);
    const gone = async () => (await stateOf(lead, projectId, scene)).sessions.length === 0;
    await eventually(`${set}: the session is lost after lose.${point}`, gone, (TTL + GRACE + 2) * 1000 + 10_000);
    await expectSound(world, scene, `${set}, sweep, lose.${point}`);
  }
}
