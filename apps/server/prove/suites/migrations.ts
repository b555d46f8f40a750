import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migratePostgres } from '../../src/engines/database/postgres.ts';
import { createTestDatabase, migrations as newest, people, readyFeature, spawnServer, terminal } from '../../test/harness.ts';
import { createReport, type OpenReport, type Suite } from '../lib/suite.ts';

export const migrations: Suite = {
  name: 'migrations',
  shows: 'two servers start at once on an empty database, and on one that is a migration behind: both serve',
  needs: 'team',
  async run({ quick }) {
    const report = createReport();
    const folder = mkdtempSync(join(tmpdir(), 'nexus-before-'));
    try {
      const behind = allButTheLast(folder);
      for (let time = 0; time < (quick ? 1 : 10); time += 1) {
        await startTwo(report, undefined, `empty, time ${time}`);
        if (behind) await startTwo(report, folder, `a migration behind, time ${time}`);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return report;
  },
};

/** The migrations of the version before this one; false while there is only one. */
function allButTheLast(folder: string): boolean {
  cpSync(newest, folder, { recursive: true });
  const file = join(folder, 'meta', '_journal.json');
  const journal = JSON.parse(readFileSync(file, 'utf8')) as { entries: unknown[] };
  journal.entries.pop();
  writeFileSync(file, JSON.stringify(journal));
  return journal.entries.length > 0;
}

async function startTwo(report: OpenReport, before: string | undefined, where: string) {
  const database = await createTestDatabase();
  const dataDir = mkdtempSync(join(tmpdir(), 'nexus-migrations-'));
  try {
    if (before) await migratePostgres(database.url, before);
    const env = { NEXUS_DATA_DIR: dataDir, DATABASE_URL: database.url, REDIS_URL: process.env['TEST_REDIS_URL'] ?? '', LOG_LEVEL: 'warn' };
    const starts = await Promise.allSettled([spawnServer(env), spawnServer(env)]);
    for (const start of starts) if (start.status === 'rejected') report.broken(String(start.reason), where);
    const servers = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    report.operations += starts.length;
    for (const [position, server] of servers.entries()) {
      const { projectId, lead } = await people(server.anonymous).project();
      await readyFeature(lead, projectId, 'feature', ['src/']);
      // Picked at one server, seen at the other.
      const { fence } = await (await terminal(lead, projectId)).pickFeature({ projectId, slug: 'feature' });
      const other = servers[servers.length - 1 - position] ?? server;
      const seen = await lead.with({ server: other.url }).getFeature({ projectId, slug: 'feature' });
      report.expect(seen.fence === fence, `${where}: one server granted fence ${fence}, the other sees ${seen.fence}`);
      report.operations += 2;
    }
    for (const server of servers) server.kill();
    await Promise.all(servers.map(({ exited }) => exited));
  } finally {
    await database.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}
