import { createClient } from '@nexus/client';
import { closeSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findDirs } from '../config.ts';
import { ensurePrivateDir, isMissing } from '../files.ts';
import { runGit } from '../hook/dirty.ts';
import { createHookHandler } from '../hook/handle.ts';
import { type Io, version } from '../io.ts';
import { machineId } from '../machine.ts';
import { callKeeper } from './call.ts';
import { serveHooks } from './hooks.ts';
import { createKeeper, type Keeper, type KeeperNeeds } from './keeper.ts';
import { createKeeping } from './keeping.ts';
import { rotateLog } from './log.ts';
import { type KeeperAnswer, type KeeperFiles, keeperFiles, KeeperRequest } from './protocol.ts';
import { openRegistry } from './registry.ts';
import { createSurvey } from './survey.ts';

const seconds = (text: string | undefined, otherwise: number): number => {
  const value = Number(text);
  return text && Number.isFinite(value) && value > 0 ? value : otherwise;
};

/** Runs the one keeper of this user and machine until it has nothing to do; returns at once when another one runs. */
export async function runKeeper({ env, signal, stderr }: Pick<Io, 'env' | 'signal' | 'stderr'>): Promise<void> {
  const dirs = findDirs(env);
  const files = keeperFiles(dirs.runtime);
  const log = (line: string): void => stderr.write(`${new Date().toISOString()} ${line}\n`);
  ensurePrivateDir(files.dir);
  ensurePrivateDir(dirname(files.socket));

  const keeper: { current?: Keeper } = {};
  const handle = (request: KeeperRequest): KeeperAnswer =>
    keeper.current?.handle(request) ?? { ok: false, error: 'The keeper is starting.' };
  const listening = await becomeTheOne(files, handle);
  if (listening === undefined) return;
  const registry = openRegistry(files.registrations);
  const clientFor: KeeperNeeds['clientFor'] = ({ server, apiKey }, timeout) =>
    createClient({ server, apiKey, timeout, retries: 0, userAgent: `nexus-keeper/${version}` });
  keeper.current = createKeeper({
    registry,
    clientFor,
    log,
    beatSeconds: seconds(env['NEXUS_BEAT_SECONDS'], 20),
    survey: createSurvey({ run: runGit, everyMs: seconds(env['NEXUS_SURVEY_SECONDS'], 30) * 1000 }),
    checkMs: 2000,
    idleMs: seconds(env['NEXUS_KEEPER_IDLE_SECONDS'], 600) * 1000,
    machine: machineId(dirs.state),
  });
  const keeping = createKeeping({ registry, handle: keeper.current.handle });
  const hooks = await serveHooks({ socket: files.hookSocket, handle: createHookHandler({ clientFor, keeping, log }), log });
  const hookInode = inodeOf(files.hookSocket);
  log(`keeper ${version} started, process ${process.pid}`);

  const displaced = watchSocket(files.socket, listening.inode);
  const logTimer = setInterval(() => rotateLog(join(dirs.state, 'keeper.log')), 3600_000);
  const aborted = new Promise<string>((resolve) => signal.addEventListener('abort', () => resolve('interrupted'), { once: true }));
  const why = await Promise.race([keeper.current.done, displaced.happened, aborted]);
  log(`keeper stops: ${why}`);
  keeper.current.stop();
  displaced.stop();
  clearInterval(logTimer);
  if (inodeOf(files.socket) === listening.inode) rmSync(files.socket, { force: true });
  if (inodeOf(files.hookSocket) === hookInode) rmSync(files.hookSocket, { force: true });
  // The answer to a `stop` is still on its way.
  await sleep(50);
  hooks.close();
  listening.close();
}

type Listening = { inode: number; close: () => void };

/** Listens under the well-known name, unless a keeper already does. The lock covers the moment between looking and taking. */
async function becomeTheOne(files: KeeperFiles, handle: (request: KeeperRequest) => KeeperAnswer): Promise<Listening | undefined> {
  const unlock = await lock(files.lock);
  try {
    if (await callKeeper(files.socket, { op: 'status' })) return undefined;
    const connections = new Set<Socket>();
    const server = createServer((socket) => {
      connections.add(socket);
      socket.on('close', () => connections.delete(socket));
      serve(socket, handle);
    });
    const temporary = `${files.socket}.${process.pid}`;
    rmSync(temporary, { force: true });
    await listen(server, temporary);
    renameSync(temporary, files.socket);
    return {
      inode: inodeOf(files.socket) ?? 0,
      close: () => {
        for (const socket of connections) socket.destroy();
        server.close();
      },
    };
  } finally {
    unlock();
  }
}

/** Starting takes far less; an older lock was left by a crash. */
const staleLockMs = 10_000;

async function lock(path: string): Promise<() => void> {
  for (;;) {
    try {
      const file = openSync(path, 'wx', 0o600);
      writeSync(file, String(process.pid));
      closeSync(file);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const age = Date.now() - modifiedAt(path);
    if (age > staleLockMs) rmSync(path, { force: true });
    else await sleep(50);
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
}

const longestLine = 64 * 1024;

function serve(socket: Socket, handle: (request: KeeperRequest) => KeeperAnswer): void {
  let text = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    text += String(chunk);
    if (text.length > longestLine) return void socket.destroy();
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      socket.write(`${JSON.stringify(answerTo(line, handle))}\n`);
    }
  });
}

function answerTo(line: string, handle: (request: KeeperRequest) => KeeperAnswer): KeeperAnswer {
  try {
    const request = KeeperRequest.safeParse(JSON.parse(line));
    return request.success ? handle(request.data) : { ok: false, error: 'Not a request of this protocol.' };
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error.message : String(error) };
  }
}

/** Another keeper that took the name has read the registrations too. A name that is merely gone (logout empties XDG_RUNTIME_DIR) changes nothing: the beats matter more. */
function watchSocket(path: string, inode: number): { happened: Promise<string>; stop: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const happened = new Promise<string>((resolve) => {
    timer = setInterval(() => {
      const now = inodeOf(path);
      if (now !== undefined && now !== inode) resolve('another keeper took over');
    }, 2000);
  });
  return { happened, stop: () => clearInterval(timer) };
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function modifiedAt(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return Date.now();
  }
}
