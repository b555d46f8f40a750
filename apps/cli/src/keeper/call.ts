import { spawn } from 'node:child_process';
import { closeSync, openSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findDirs } from '../config.ts';
import { ensurePrivateDir } from '../files.ts';
import type { Io } from '../io.ts';
import { rotateLog } from './log.ts';
import { KeeperAnswer, keeperFiles, type KeeperRequest } from './protocol.ts';

/** One request, one answer; undefined when no keeper listens. */
export function callKeeper(socketPath: string, request: KeeperRequest, timeoutMs = 2000): Promise<KeeperAnswer | undefined> {
  return new Promise((resolve) => {
    if (!isOurs(dirname(socketPath))) return resolve(undefined);
    const socket = connect(socketPath);
    let text = '';
    const end = (answer: KeeperAnswer | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end(undefined), timeoutMs);
    socket.on('error', () => end(undefined));
    socket.on('close', () => end(undefined));
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`));
    socket.on('data', (chunk) => {
      text += String(chunk);
      const line = text.indexOf('\n');
      if (line < 0) return;
      try {
        const answer = KeeperAnswer.safeParse(JSON.parse(text.slice(0, line)));
        end(answer.success ? answer.data : undefined);
      } catch {
        end(undefined);
      }
    });
  });
}

/** The request may carry a key: it goes to no socket in somebody else's directory. */
function isOurs(dir: string): boolean {
  try {
    return process.getuid === undefined || statSync(dir).uid === process.getuid();
  } catch {
    return false;
  }
}

/** A fresh start loads the whole program; a busy machine takes seconds for it. */
const startMs = 8000;

/** Makes sure that a keeper runs, starting one that outlives this terminal. False when none could be started. */
export async function ensureKeeper(io: Pick<Io, 'env' | 'self'>): Promise<boolean> {
  if (io.env['NEXUS_NO_KEEPER']) return false;
  const dirs = findDirs(io.env);
  const { socket } = keeperFiles(dirs.runtime);
  if (await callKeeper(socket, { op: 'status' })) return true;
  if (!startKeeper(io, dirs.state)) return false;
  for (const deadline = Date.now() + startMs; Date.now() < deadline;) {
    await sleep(30);
    if (await callKeeper(socket, { op: 'status' })) return true;
  }
  return false;
}

/** What belongs to this one terminal or agent must not follow the keeper into all the others. */
const ownToCaller = /^(?:NEXUS_(?:SESSION|AGENT|AGENT_SESSION|TOKEN|PROJECT|SERVER_URL)|CLAUDE|CODEX_|GEMINI_|TMUX|TERM_SESSION_ID)/;

/** Does not wait until it listens. */
export function startKeeper({ env, self }: Pick<Io, 'env' | 'self'>, stateDir: string): { failed: boolean } {
  const starting = { failed: false };
  const fail = (): void => {
    starting.failed = true;
  };
  try {
    ensurePrivateDir(stateDir);
    const logPath = join(stateDir, 'keeper.log');
    rotateLog(logPath);
    const log = openSync(logPath, 'a', 0o600);
    const child = spawn(self.command, [...self.args, 'keeper', 'run'], {
      // Its own session, and no directory held: it must survive the terminal and block no unmount.
      detached: true,
      cwd: '/',
      stdio: ['ignore', log, log],
      env: Object.fromEntries(Object.entries(env).filter(([name]) => !ownToCaller.test(name))),
    });
    child.on('error', fail);
    // With 0 it found another one that runs.
    child.on('exit', (code) => code !== 0 && fail());
    child.unref();
    closeSync(log);
  } catch {
    fail();
  }
  return starting;
}
