import { basename } from 'node:path';
import type { Io } from './io.ts';
import { bootId, shortHash } from './machine.ts';
import { processInfo, type ProcessInfo, type ProcessRef, startEnvironment } from './processes.ts';

/** Who acts here. `fixed` sessions were named from outside; the others are opened when first needed. */
export type Identity =
  | { kind: 'fixed'; sessionId: string }
  | { kind: 'own'; agent: string; agentSessionId: string; watch: ProcessRef | undefined };

/** Where agents put their own session's id in the environment of the commands that they run. */
const agentVariables = [
  ['CLAUDE_CODE_SESSION_ID', 'claude'],
  ['CODEX_SESSION_ID', 'codex'],
  ['CODEX_THREAD_ID', 'codex'],
  ['GEMINI_SESSION_ID', 'gemini'],
] as const;

type Needs = { env: Io['env']; pid: number; machine: () => string; place: string; info?: (pid: number) => ProcessInfo | undefined };

/** Deterministic: the same terminal or agent gets the same identity from every command that runs in it. */
export function findIdentity({ env, pid, machine, place, info = processInfo }: Needs): Identity {
  const named = env['NEXUS_SESSION'];
  if (named) {
    const colon = named.indexOf(':');
    if (colon < 0) return { kind: 'fixed', sessionId: named };
    const [agent, agentSessionId] = [named.slice(0, colon), named.slice(colon + 1)];
    return { kind: 'own', agent, agentSessionId, watch: agentProcess({ env, pid, variable: 'NEXUS_SESSION', value: named, info }) };
  }
  if (env['NEXUS_AGENT'] && env['NEXUS_AGENT_SESSION']) {
    const value = env['NEXUS_AGENT_SESSION'];
    return {
      kind: 'own',
      agent: env['NEXUS_AGENT'],
      agentSessionId: value,
      watch: agentProcess({ env, pid, variable: 'NEXUS_AGENT_SESSION', value, info }),
    };
  }
  for (const [variable, agent] of agentVariables) {
    const value = env[variable];
    if (value) return { kind: 'own', agent, agentSessionId: value, watch: agentProcess({ env, pid, variable, value, info }) };
  }
  return terminalIdentity({ env, pid, machine, place, info });
}

type Seen = Required<Pick<Needs, 'env' | 'pid' | 'info'>>;

type Told = Seen & { variable: string; value: string };

/**
 * The agent's process. What an agent starts carries the id in its environment from the start, the agent itself does
 * not; only with NEXUS_AGENT_SESSION may a lasting process have been started with it, and that one is the agent.
 */
function agentProcess({ env, pid, variable, value, info }: Told): ProcessRef | undefined {
  const told = Number(env['CLAUDE_PID']);
  const toldProcess = variable === 'CLAUDE_CODE_SESSION_ID' && Number.isSafeInteger(told) && told > 1 ? info(told) : undefined;
  if (toldProcess) return ref(toldProcess);
  const top = topUnder(variable, value, info(pid), info);
  if (top === undefined) return undefined;
  if (top.pid !== pid && variable.startsWith('NEXUS_') && !isPassing(top)) return ref(top);
  const starter = lasting(parentOf(top, info), info);
  return starter ? ref(starter) : anchor({ pid, info });
}

/** The oldest in the line of ancestors that were started with this value. */
function topUnder(variable: string, value: string, from: ProcessInfo | undefined, info: Seen['info']): ProcessInfo | undefined {
  const parent = parentOf(from, info);
  return parent && startEnvironment(parent.pid, variable) === value ? topUnder(variable, value, parent, info) : from;
}

/** The process itself, or what started it when it ends with this one command. */
function lasting(from: ProcessInfo | undefined, info: Seen['info']): ProcessInfo | undefined {
  const parent = parentOf(from, info);
  return from && parent && (isPassing(from) || isFork(from, parent)) ? lasting(parent, info) : from;
}

function terminalIdentity({ env, pid, machine, place, info }: Seen & Pick<Needs, 'machine' | 'place'>): Identity {
  const watch = anchor({ pid, info });
  const pane = env['TMUX_PANE'] && `tmux ${env['TMUX'] ?? ''} ${env['TMUX_PANE']}`;
  const window = pane || (env['TERM_SESSION_ID'] && `term ${env['TERM_SESSION_ID']}`);
  const terminal = window || (watch ? `process ${bootId()} ${watch.pid} ${watch.startTime}` : 'unknown');
  return { kind: 'own', agent: 'terminal', agentSessionId: `${machine()}-${shortHash(`${place}\n${terminal}`)}`, watch };
}

/**
 * The process that stands for this terminal: the session's leader. Where agents without an id of their own start
 * a shell for every command, detached and without a terminal, that shell is gone at once: its starter counts.
 */
function anchor({ pid, info }: Pick<Seen, 'pid' | 'info'>): ProcessRef | undefined {
  const self = info(pid);
  if (self === undefined) return undefined;
  let found = info(self.session) ?? topmost(self, info);
  while (!found.hasTerminal && (found.pid === pid || isPassing(found))) {
    const starter = parentOf(found, info);
    if (starter === undefined) break;
    found = starter;
  }
  return ref(found);
}

function topmost(self: ProcessInfo, info: Seen['info']): ProcessInfo {
  let at = self;
  for (let parent = parentOf(at, info); parent; parent = parentOf(at, info)) at = parent;
  return at;
}

const inits = new Set(['systemd', 'init', 'launchd', 'tini', 'dumb-init', 'docker-init', 's6-svscan', 'runit']);

/** The parent, unless it is what adopts orphans. In a container the agent itself may be process 1. */
function parentOf(child: ProcessInfo | undefined, info: Seen['info']): ProcessInfo | undefined {
  const parent = child && child.parent > 0 ? info(child.parent) : undefined;
  return parent && !(parent.pid === 1 && inits.has(basename(parent.args[0] ?? ''))) ? parent : undefined;
}

const shells = new Set(['sh', 'bash', 'zsh', 'dash', 'fish', 'ksh', 'ash', 'busybox']);

/** A shell that runs one command line and ends with it. */
function isPassing(process: ProcessInfo): boolean {
  return shells.has(nameOf(process)) && process.args.slice(1).some((arg) => /^-[a-z]*c$/.test(arg));
}

/** One side of a shell's pipe, or what stands in its parentheses: a copy of the shell that ends with the command. */
const isFork = (child: ProcessInfo, parent: ProcessInfo): boolean =>
  shells.has(nameOf(child)) && child.args.join('\0') === parent.args.join('\0');

const nameOf = ({ args }: ProcessInfo): string => basename(args[0] ?? '').replace(/^-/, '');

const ref = ({ pid, startTime }: ProcessRef): ProcessRef => ({ pid, startTime });
