import { fileURLToPath } from 'node:url';
import { BadConfiguration, parseConfig } from './config.ts';
import { createDeps, openEngines } from './deps.ts';
import { DataDirectoryInUse } from './engines/database/lock.ts';
import { migratePostgres } from './engines/database/postgres.ts';
import { isDatabaseAway } from './platform/errors.ts';
import { createLog } from './platform/log.ts';
import { serve } from './server.ts';
import manifest from '../package.json' with { type: 'json' };

const migrations = fileURLToPath(new URL('../../../drizzle', import.meta.url));

async function main(argv: string[]): Promise<void> {
  const config = parseConfig(process.env);
  if (argv[0] === 'migrate') {
    if (config.database.kind === 'postgres') await migratePostgres(config.database.url, migrations);
    return;
  }
  const log = createLog({ level: config.logLevel, write: (line) => process.stdout.write(line) });
  const began = performance.now();
  const engines = await openEngines(config, { migrations, log, owner: `process ${process.pid}` }).catch((error: unknown) => {
    if (config.database.kind !== 'postgres' || !isDatabaseAway(error)) throw error;
    throw new BadConfiguration(`DATABASE_URL: the database cannot be reached: ${error instanceof Error ? error.message : String(error)}`);
  });
  const deps = await createDeps({ config, engines, log, version: manifest.version, crash: () => process.kill(process.pid, 'SIGKILL') });
  const server = await serve(deps).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== 'EADDRINUSE') throw error;
    throw new BadConfiguration(`PORT: ${config.port} is in use, maybe by another Nexus. Stop that, or set PORT to another number.`);
  });
  log.info({ url: server.url, engines: deps.engines, startMs: Math.round(performance.now() - began) }, 'nexus is ready');
  process.stderr.write(banner(server.url, deps.engines, config.dataDir, deps.setupCode));

  let stopping = false;
  const stop = (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'nexus stops');
    server.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'could not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  process.on('SIGHUP', () => stop('SIGHUP'));
  process.on('unhandledRejection', (error) => {
    // postgres.js asks each new connection for its types, and waits for no answer: a connection that breaks then is no bug.
    if (isDatabaseAway(error)) log.warn({ err: error }, 'a connection to the database broke');
    else log.error({ err: error }, 'a bug: nobody waited for this failure');
  });
}

function banner(url: string, engines: { database: string; leases: string }, dataDir: string, setupCode: string | undefined): string {
  const where = engines.database === 'pglite' ? `embedded, in ${dataDir}` : `team: ${engines.database} and ${engines.leases}`;
  return [
    '',
    `  Nexus is ready at ${url}  (${where})`,
    `  API: ${url}/api/docs   Next, in your repository: nexus setup`,
    ...(setupCode ? [`  First engineer: nexus login --register --setup-code ${setupCode}`] : []),
    '',
    '',
  ].join('\n');
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const expected = error instanceof BadConfiguration || error instanceof DataDirectoryInUse;
  const message = error instanceof Error ? (expected ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`nexus cannot start:\n${message.replace(/^/gm, '  ')}\n`);
  process.exit(1);
});
