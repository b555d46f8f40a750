import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPglite } from '../../src/engines/database/pglite.ts';
import { eventually, migrations, people } from '../../test/harness.ts';
import { auditHistory } from '../../test/lib/audit-history.ts';
import { auditAnswers, auditLedger } from '../../test/lib/audit.ts';
import { restartableServer } from '../../test/lib/restartable.ts';
import { overlappingFeatures, startWorkload } from '../../test/lib/workload.ts';
import { createReport, type Suite } from '../lib/suite.ts';

const CLIENTS = 8;

export const embedded: Suite = {
  name: 'embedded',
  shows: `an embedded server killed again and again while ${CLIENTS} clients pick and release: nothing acknowledged is lost`,
  needs: 'nothing',
  async run({ quick, random }) {
    const report = createReport();
    const dataDir = mkdtempSync(join(tmpdir(), 'nexus-embedded-'));
    const server = restartableServer({ NEXUS_DATA_DIR: dataDir, LEASE_TTL_SECONDS: '10', GRACE_SECONDS: '1' });
    try {
      await server.start();
      const { projectId, lead } = await people(server.anonymous).project();
      await overlappingFeatures(lead, projectId, 12);
      const work = startWorkload({ clients: [lead], projectId, agents: CLIENTS, beatMs: 500 });
      for (let kills = 0; kills < (quick ? 2 : 30); kills += 1) {
        const before = work.acknowledged();
        await eventually('the clients get on', () => work.acknowledged() >= before + CLIENTS, 60_000);
        // At any moment of their work, not after an answer.
        await Bun.sleep(random.next() * 30);
        await server.kill();
        await server.start();
        report.faults += 1;
      }
      await work.stop();
      report.operations = work.history.length;
      report.broken(await auditAnswers(lead, projectId));
      await server.kill();
      for (const { message } of work.bugs) report.broken(`an answer that is a bug: ${message}`);
      for (const session of work.lost) report.broken(`session ${session} beat all the time and was lost`);
      const database = await openPglite({ dataDir, migrations });
      report.broken(await auditLedger(database, projectId));
      report.broken(await auditHistory(database.db, projectId, work.history));
      await database.close();
    } finally {
      await server.kill();
      rmSync(dataDir, { recursive: true, force: true });
    }
    return report;
  },
};
