import { parseArgs } from 'node:util';
import { closeAll } from '../lib/closers.mjs';
import { embedded, type EngineSet, findTeam } from './engines.ts';
import { createReport, type Report } from './report.ts';
import { tellStory } from './story.ts';
import { createWorld, startServer } from './world.ts';

const usage = 'bun run demo [--engines embedded|team|both]   (default: embedded, and team where Postgres and Redis are found)';

/** Plays the founding story on each engine set: real repository, server, CLI and terminals. Answers the exit code. */
async function main(args: string[]): Promise<number> {
  const { engines } = parseArgs({ args, options: { engines: { type: 'string' } } }).values;
  if (engines !== undefined && !['embedded', 'team', 'both'].includes(engines)) throw new TypeError(`There are no engines "${engines}".`);
  const team = engines === 'embedded' ? undefined : findTeam(process.env);
  const report = createReport((line) => console.log(line), process.stdout.isTTY);
  if (engines !== 'team') await play('embedded', embedded, report);
  if (team) await play('team', team, report);
  else if (engines === 'team' || engines === 'both') {
    report.check('team engines: give DATABASE_URL and REDIS_URL, or install PostgreSQL and redis-server', false);
  } else if (engines === undefined) report.note('\nTeam engines left out: no PostgreSQL and Redis programs found.');

  const { failures } = report;
  console.log(
    `\n${report.checks() - failures.length} checks passed, ${failures.length} failed${failures.map((what) => `\n  ✗ ${what}`).join('')}`,
  );
  return failures.length > 0 ? 1 : 0;
}

async function play(name: string, open: () => Promise<EngineSet>, report: Report): Promise<void> {
  const began = Date.now();
  let projectId: string | undefined;
  const engines = await open();
  report.chapter(`${name} engines (${engines.about})`);
  const world = createWorld();
  let server: Awaited<ReturnType<typeof startServer>> | undefined;
  try {
    server = await startServer(engines.env);
    await tellStory({ world, report, server: server.url, onProject: (id) => (projectId = id) });
  } catch (error) {
    report.check('the story reaches its end', false, `${error instanceof Error ? error.stack : String(error)}\n${server?.output() ?? ''}`);
  } finally {
    await world.close();
    await server?.stop();
    await engines.close(projectId);
  }
  report.note(`\n${name}: ${((Date.now() - began) / 1000).toFixed(0)} s`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof TypeError ? `${error.message}\n${usage}` : error);
  process.exitCode = error instanceof TypeError ? 2 : 1;
} finally {
  await closeAll();
}
process.exit();
