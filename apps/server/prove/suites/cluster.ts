import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPostgres } from '../../src/engines/database/postgres.ts';
import { createTestDatabase, eventually, migrations, people } from '../../test/harness.ts';
import { auditHistory } from '../../test/lib/audit-history.ts';
import { auditAnswers, auditIndex, auditLedger } from '../../test/lib/audit.ts';
import { restartableServer } from '../../test/lib/restartable.ts';
import { overlappingFeatures, startWorkload } from '../../test/lib/workload.ts';
import { createReport, type Suite } from '../lib/suite.ts';
import { startCluster } from '../world/cluster.ts';

const PROJECTS = 6;
const AGENTS = 4;

export const cluster: Suite = {
  name: 'cluster',
  shows: 'a Redis Cluster of three masters, each killed, emptied and stopped in turn under servers at work',
  needs: 'programs',
  onlyWhole: true,
  async run({ quick, random }) {
    const report = createReport();
    const redis = await startCluster();
    const database = await createTestDatabase();
    const dataDir = mkdtempSync(join(tmpdir(), 'nexus-cluster-'));
    const env = { NEXUS_DATA_DIR: dataDir, DATABASE_URL: database.url, REDIS_URL: redis.url, LEASE_TTL_SECONDS: '4', GRACE_SECONDS: '1' };
    const servers = [restartableServer(env), restartableServer(env)] as const;
    const ledger = await openPostgres({ url: database.url, migrations, poolSize: 2 });
    try {
      await Promise.all(servers.map((server) => server.start()));
      const lead = await people(servers[0].anonymous).engineer('Lead');
      const clients = servers.map(({ url }) => lead.with({ server: url }));
      const works = await Promise.all(
        Array.from({ length: PROJECTS }, async (_, number) => {
          // Their ids put them on different masters.
          const { id: projectId } = await lead.createProject({ body: { name: 'Project', slug: `project-${number}` } });
          await overlappingFeatures(lead, projectId, 8);
          return { projectId, work: startWorkload({ clients, projectId, agents: AGENTS, beatMs: 400 }) };
        }),
      );
      const goOn = async () => {
        const before = works.map(({ work }) => work.acknowledged());
        await eventually(
          'all agents get on',
          () => works.every(({ work }, at) => work.acknowledged() >= (before[at] ?? 0) + AGENTS),
          60_000,
        );
      };
      await goOn();
      const masters = redis.masters.length;
      const plan = ['kill', 'flush', 'stop'].flatMap((what) => redis.masters.map((_, master) => ({ what, master })));
      for (const { what, master } of random.shuffled(plan).slice(0, quick ? masters : undefined)) {
        if (what === 'kill') await redis.restart(master);
        else if (what === 'flush') await redis.masters[master]?.admin((admin) => admin.flushall());
        else await redis.stopFor(master, 6000);
        report.faults += 1;
        await goOn();
      }
      for (const { projectId, work } of works) {
        await work.stop();
        report.operations += work.history.length;
        for (const { message } of work.bugs) report.broken(`an answer that is a bug: ${message}`);
        for (const session of work.lost) report.broken(`session ${session} beat all the time and was lost`);
        await eventually('the index agrees with the ledger', async () => (await auditIndex(lead, projectId)).length === 0, 10_000);
        report.broken(await auditAnswers(lead, projectId));
        report.broken(await auditLedger(ledger, projectId));
        report.broken(await auditHistory(ledger.db, projectId, work.history));
      }
      report.expect((await redis.holders()) > 1, 'all projects lay on one master, so this showed nothing');
    } finally {
      await Promise.all(servers.map((server) => server.kill()));
      await ledger.close();
      await database.drop();
      await redis.remove();
      rmSync(dataDir, { recursive: true, force: true });
    }
    return report;
  },
};
