import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Io } from '../io.ts';
import { runCli } from '../program.ts';

export type Place = { dir: string; remove: () => void };

export function makePlace(): Place {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'nxc-')));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export function makeRepository(dir: string): void {
  gitIn(dir, 'init', '-q', '-b', 'main');
  gitIn(dir, '-c', 'user.name=t', '-c', 'user.email=t@example.com', 'commit', '-q', '--allow-empty', '-m', 'start');
}

export const gitIn = (dir: string, ...args: string[]): string => execFileSync('git', ['-C', dir, ...args], { encoding: 'utf8' });

export type Ran = { code: number; out: string; err: string };
type RunOptions = {
  cwd: string;
  env?: Record<string, string>;
  stdin?: string;
  /** Ctrl-C. */
  signal?: AbortSignal;
  onErr?: (text: string) => void;
};

/** A home of its own, so that no test meets the user's configuration or another test's. */
export const homeEnv = (home: string): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  HOME: home,
  NEXUS_CONFIG_DIR: join(home, 'config'),
  NEXUS_STATE_DIR: join(home, 'state'),
  NEXUS_RUNTIME_DIR: join(home, 'run'),
});

/** Runs a command line in this process, without a terminal. */
export async function runHere(args: string[], options: RunOptions): Promise<Ran> {
  const { cwd, env = {}, stdin = '', signal = new AbortController().signal, onErr = () => {} } = options;
  const ran: Ran = { code: 0, out: '', err: '' };
  const io: Io = {
    env,
    cwd,
    stdout: { write: (text) => void (ran.out += text), isTTY: false, columns: 80 },
    stderr: {
      write: (text) => {
        ran.err += text;
        onErr(ran.err);
      },
      isTTY: false,
      columns: 80,
    },
    stdin: { isTTY: false, read: () => Promise.resolve(stdin) },
    signal,
    pid: process.pid,
    self: { command: process.execPath, args: [join(import.meta.dirname, '..', 'main.ts')] },
  };
  ran.code = await runCli(args, io);
  return ran;
}
