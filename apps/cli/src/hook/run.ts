import { existsSync, readSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findDirs } from '../dirs.ts';
import { socketsIn } from '../keeper/sockets.ts';
import { parseClaude } from './claude.ts';
import type { Caller } from './event.ts';
import { type Posted, postToKeeper } from './post.ts';

/** Claude Code gives hooks three seconds; what takes longer lets the tool run, so the answer must be there before. */
const totalMs = 2400;
const endMs = 1200;

/** `nexus hook <agent>`: answers one event of an agent. Whatever happens, it exits with 0. */
export async function runHook(agent: string | undefined): Promise<void> {
  try {
    const printed = agent === 'claude' ? await answerTo(await readStdin()) : '';
    if (printed !== '') writeSync(1, printed);
  } catch {
    // Nothing that goes wrong here may stand in the agent's way.
  }
  process.exit(0);
}

async function answerTo(text: string): Promise<string> {
  const caller: Caller = { pid: process.pid, env: pick(process.env) };
  const ms = text.includes('"SessionEnd"') ? endMs : totalMs;
  const posted = await toKeeper(text, caller, ms);
  if (posted.answer !== undefined) return posted.answer;
  if (posted.late) {
    const { lapsed } = await import('./cold.ts');
    return lapsed(text, caller);
  }
  if (!mayBeOurs(text, caller.env)) return '';
  const { answerCold } = await import('./cold.ts');
  return answerCold(text, caller, ms);
}

async function toKeeper(text: string, caller: Caller, ms: number): Promise<Posted> {
  if (caller.env['NEXUS_NO_KEEPER']) return {};
  const { runtime } = findDirs(caller.env);
  const socket = socketsIn(runtime)?.hookSocket ?? (await import('../keeper/protocol.ts')).keeperFiles(runtime).hookSocket;
  return isOurs(dirname(socket)) && existsSync(socket) ? postToKeeper(socket, 'claude', text, caller, ms) : {};
}

/** What is sent may hold a key: it goes to no socket in somebody else's directory. */
function isOurs(dir: string): boolean {
  const stat = statSync(dir, { throwIfNoEntry: false });
  return stat !== undefined && (process.getuid === undefined || stat.uid === process.getuid());
}

const needed = /^(?:HOME|XDG_(?:CONFIG_HOME|STATE_HOME|RUNTIME_DIR)|NEXUS_\w+|CLAUDE_(?:PID|ENV_FILE))$/;

function pick(env: NodeJS.ProcessEnv): Caller['env'] {
  const picked: Caller['env'] = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined && needed.test(name)) picked[name] = value;
  return picked;
}

/** Without a keeper: whether it is worth loading more. A repository that does not use Nexus pays for nothing. */
function mayBeOurs(text: string, env: Caller['env']): boolean {
  const event = parseClaude(text);
  if (event === undefined) return false;
  return Boolean(env['NEXUS_PROJECT']) || [event.cwd, ...(event.tool?.paths ?? [])].some(hasLinkAbove);
}

function hasLinkAbove(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if (existsSync(join(at, '.nexus.json'))) return true;
    const git = statSync(join(at, '.git'), { throwIfNoEntry: false });
    // A linked worktree's link may lie in the main checkout.
    if (git !== undefined) return git.isFile();
    if (dirname(at) === at) return false;
  }
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  const chunk = Buffer.allocUnsafe(64 * 1024);
  try {
    for (let size = readSync(0, chunk); size > 0; size = readSync(0, chunk)) chunks.push(Buffer.from(chunk.subarray(0, size)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    for await (const rest of process.stdin) chunks.push(Buffer.from(rest as Uint8Array));
  }
  return Buffer.concat(chunks).toString('utf8');
}
