import type { Command } from 'commander';
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CliError, interrupted } from '../errors.ts';
import type { Io } from '../io.ts';
import { examples, type Runner, wholeNumber } from './command.ts';

type UpOptions = { port?: number; host?: string; dataDir?: string };

export function addUpCommand(program: Command, run: Runner): void {
  examples(
    program
      .command('up')
      .description('Start a server here, in the foreground, with its data in a directory')
      .option('--port <number>', 'default: 3000', wholeNumber)
      .option('--host <address>', 'default: 127.0.0.1')
      .option('--data-dir <dir>', 'default: under the XDG data directory'),
    'nexus up',
    'nexus up --port 4000 --data-dir ./nexus-data',
  ).action(
    run(async ({ io, out }, { port, host, dataDir }: UpOptions) => {
      const bun = findBun(io.env);
      const server = findServer();
      const env = {
        ...io.env,
        ...(port === undefined ? {} : { PORT: String(port) }),
        ...(host === undefined ? {} : { HOST: host }),
        ...(dataDir === undefined ? {} : { NEXUS_DATA_DIR: dataDir }),
      };
      out.note(`Starting ${server}`);
      const child = spawn(bun, [server], { cwd: io.cwd, env, stdio: 'inherit' });
      // The terminal sends Ctrl-C to the server as well; a signal to this process alone must be handed on.
      const handOn = (): void => void child.kill('SIGTERM');
      process.on('SIGTERM', handOn);
      io.signal.addEventListener('abort', handOn, { once: true });
      const code = await new Promise<number | null>((resolve, reject) => {
        child.on('error', reject);
        child.on('close', resolve);
      });
      process.off('SIGTERM', handOn);
      if (io.signal.aborted) throw interrupted();
      if (code !== 0) throw new CliError('failure', 'SERVER_ENDED', `The server ended${code === null ? '' : ` with exit code ${code}`}.`);
    }),
  );
}

function findBun(env: Io['env']): string {
  if (process.versions['bun'] !== undefined && !/nexus[^/\\]*$/.test(process.execPath)) return process.execPath;
  const directories = [...(env['PATH'] ?? '').split(delimiter), join(env['BUN_INSTALL'] || join(env['HOME'] ?? '', '.bun'), 'bin')];
  const found = directories
    .filter((dir) => dir !== '')
    .map((dir) => join(dir, 'bun'))
    .find(isExecutable);
  if (found !== undefined) return found;
  throw new CliError(
    'failure',
    'BUN_MISSING',
    'The server runs on Bun, which was not found. Install it from https://bun.sh, or put it on the PATH.',
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** In a checkout the source; beside an installed command its built server. */
function findServer(): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    const candidates = [join(dir, 'apps', 'server', 'src', 'main.ts'), join(dir, 'server', 'main.js')];
    const found = candidates.find((path) => existsSync(path));
    if (found !== undefined) return found;
    if (dirname(dir) === dir)
      throw new CliError('failure', 'SERVER_MISSING', 'This installation has no server in it. Run `nexus up` from a checkout of Nexus.');
  }
}
