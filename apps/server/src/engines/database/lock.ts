import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kill, pid as ownPid } from 'node:process';

/** PGlite lets two processes open one directory, and the second one's writes vanish: so the directory has an owner. */
export class DataDirectoryInUse extends Error {
  override name = 'DataDirectoryInUse';
}

/** Takes the directory for this process; answers the function that gives it back. A dead owner's lock is taken over. */
export function lockDirectory(dataDir: string): () => void {
  const file = join(dataDir, 'nexus.lock');
  const mine = JSON.stringify({ pid: ownPid, started: startOf(ownPid) });
  const draft = `${file}.${ownPid}`;
  writeFileSync(draft, mine, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      if (linked(draft, file)) {
        return () => {
          if (read(file) === mine) rmSync(file, { force: true });
        };
      }
      const text = read(file);
      const owner = parse(text);
      if (owner && isAlive(owner)) {
        throw new DataDirectoryInUse(
          `Another Nexus server (process ${owner.pid}) uses the data directory ${dataDir}. Stop it, or set NEXUS_DATA_DIR to another directory.`,
        );
      }
      removeStale(file, text);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  throw new DataDirectoryInUse(`Another Nexus server is starting in the data directory ${dataDir}.`);
}

/** A link appears whole or not at all: nobody ever reads a half-written lock. */
function linked(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Of two that find the same dead owner, the slower one may have taken the faster one's new lock: it is put back. */
function removeStale(file: string, seen: string): void {
  const aside = `${file}.${ownPid}.stale`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (read(aside) !== seen) linked(aside, file);
  rmSync(aside, { force: true });
}

type Owner = { pid: number; started: string };

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function parse(text: string): Owner | undefined {
  try {
    const { pid, started } = JSON.parse(text) as Partial<Owner>;
    return typeof pid === 'number' && typeof started === 'string' ? { pid, started } : undefined;
  } catch {
    return undefined;
  }
}

/** A process id is used again after a while; with its start time it is not. Only a process that is surely gone loses its lock. */
function isAlive({ pid, started }: Owner): boolean {
  try {
    kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const now = startOf(pid);
  return started === '' || now === '' || now === started;
}

/** The start time in clock ticks since boot (proc(5), field 22); empty where /proc is not. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
