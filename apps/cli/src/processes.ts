import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { platform } from 'node:os';
import { isMissing } from './files.ts';

/** A pid alone may be another process later; with its start time it is one process of this boot. */
export type ProcessRef = { pid: number; startTime: string };

export type ProcessInfo = ProcessRef & {
  parent: number;
  /** The session leader's pid; 0 when it is outside what we may see. */
  session: number;
  hasTerminal: boolean;
  args: string[];
};

/** The live process, or undefined: a zombie waiting for its parent is over too. */
export const processInfo: (pid: number) => ProcessInfo | undefined = platform() === 'linux' ? fromProc : fromPs;

export const isAlive = ({ pid, startTime }: ProcessRef): boolean => processInfo(pid)?.startTime === startTime;

function fromProc(pid: number): ProcessInfo | undefined {
  const stat = readProc(pid, 'stat');
  if (stat === undefined) return undefined;
  // The command's name stands in parentheses and may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent, , session, terminal] = fields;
  const startTime = fields[19];
  if (startTime === undefined || state === 'Z' || state === 'X') return undefined;
  return {
    pid,
    startTime,
    parent: Number(parent),
    session: Number(session),
    hasTerminal: terminal !== '0',
    args: (readProc(pid, 'cmdline') ?? '').split('\0').slice(0, -1),
  };
}

/** A variable in the environment that the process started with; undefined when it has none or may not be read. */
export function startEnvironment(pid: number, name: string): string | undefined {
  if (platform() !== 'linux') return undefined;
  const entry = readProc(pid, 'environ')
    ?.split('\0')
    .find((line) => line.startsWith(`${name}=`));
  return entry?.slice(name.length + 1);
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (isMissing(error) || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return undefined;
    throw error;
  }
}

function fromPs(pid: number): ProcessInfo | undefined {
  let line: string;
  try {
    line = execFileSync('ps', ['-o', 'ppid=,sess=,tty=,stat=,lstart=,command=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return undefined;
  }
  // lstart is five words: "Sat Nov 21 10:16:58 2026".
  const [parent, , terminal, state, ...rest] = line.trim().split(/\s+/);
  if (parent === undefined || state === undefined || state.startsWith('Z')) return undefined;
  const hasTerminal = terminal !== undefined && !terminal.startsWith('?');
  return { pid, startTime: rest.slice(0, 5).join(' '), parent: Number(parent), session: 0, hasTerminal, args: rest.slice(5) };
}
