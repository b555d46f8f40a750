import { dirsOf } from '../dirs-of.ts';
import { socketsIn } from '../keeper/sockets.ts';
import type { Caller } from './event.ts';
import { findSystem, type Posted, postToKeeper } from './post.ts';
import type { System } from './system.ts';

/** Claude Code gives hooks three seconds; what takes longer lets the tool run, so the answer must be there before. */
const totalMs = 2400;
const endMs = 1200;

/** `nexus hook <agent>`: answers one event of an agent. Whatever happens, it exits with 0. */
export async function runHook(agent: string | undefined): Promise<void> {
  try {
    const system = await findSystem();
    const printed = agent === 'claude' ? await answerTo(system, await system.readStdin()) : '';
    if (printed !== '') await system.print(printed);
  } catch {
    // Nothing that goes wrong here may stand in the agent's way.
  }
  process.exit(0);
}

async function answerTo(system: System, text: string): Promise<string> {
  const caller: Caller = { pid: process.pid, env: pick(process.env) };
  const ms = text.includes('"SessionEnd"') ? endMs : totalMs;
  const posted = await toKeeper(system, text, caller, ms);
  if (posted.answer !== undefined) return posted.answer;
  if (posted.late) return (await import('./cold.ts')).lapsed(text, caller);
  const { mayBeOurs } = await import('./near.ts');
  return mayBeOurs(text, caller.env) ? (await import('./cold.ts')).answerCold(system, text, caller, ms) : '';
}

/** What is sent may hold a key: it goes to no socket in somebody else's directory. */
async function toKeeper(system: System, text: string, caller: Caller, ms: number): Promise<Posted> {
  const { env } = caller;
  if (env['NEXUS_NO_KEEPER']) return {};
  const runtime = env['XDG_RUNTIME_DIR'];
  const runtimeExists = !env['NEXUS_RUNTIME_DIR'] && Boolean(runtime) && (await system.ownerOf(runtime ?? '')) !== undefined;
  const home = env['HOME'] || (await import('node:os')).homedir();
  const dirs = dirsOf(env, home, runtimeExists);
  const socket = socketsIn(dirs.runtime)?.hookSocket ?? (await import('../keeper/protocol.ts')).keeperFiles(dirs.runtime).hookSocket;
  const owner = await system.ownerOf(socket.slice(0, socket.lastIndexOf('/')));
  if (owner === undefined || (process.getuid !== undefined && owner !== process.getuid())) return {};
  return postToKeeper(system, { socket, agent: 'claude', text, caller, ms });
}

const needed = /^(?:HOME|XDG_(?:CONFIG_HOME|STATE_HOME|RUNTIME_DIR)|NEXUS_\w+|CLAUDE_(?:PID|ENV_FILE))$/;

function pick(env: NodeJS.ProcessEnv): Caller['env'] {
  const picked: Caller['env'] = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined && needed.test(name)) picked[name] = value;
  return picked;
}
