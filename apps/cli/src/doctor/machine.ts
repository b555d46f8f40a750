import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Context } from '../context.ts';
import { isLinked } from '../guard/guard.ts';
import { probeSession, reached } from '../hook/event.ts';
import { version } from '../io.ts';
import { absoluteSelf, findOnPath } from '../install/binary.ts';
import { type Command, hookArgs } from '../install/claude-hooks.ts';
import { callKeeper } from '../keeper/call.ts';
import { keeperFiles } from '../keeper/protocol.ts';
import { clean } from '../text.ts';
import { type Finding, note, ok, wrong } from './finding.ts';

export async function checkProgram({ io }: Context): Promise<Finding> {
  const found = findOnPath(io.env, 'nexus');
  const here = [io.self.command, ...io.self.args].join(' ');
  if (found === undefined)
    return wrong(
      'program',
      'there is no `nexus` on PATH, so hooks that are committed cannot start it',
      `put a \`nexus\` on PATH that runs ${here}`,
    );
  const { out } = await run({ command: found, args: ['--version'] }, '', io.env);
  if (out.trim() === version) return ok('program', `${found}, version ${version}`);
  return wrong('program', `${found} says version "${out.trim().slice(0, 40)}", this one is ${version}`, `put ${here} first on PATH`);
}

export function checkRuntime(): Finding {
  const { bun, node } = process.versions;
  if (bun !== undefined) return ok('runtime', `Bun ${bun}`);
  const says = `Node ${node}`;
  if (Number(node.split('.')[0]) < 20) return wrong('runtime', says, 'use Node 20 or later, or the compiled command');
  return note(
    'runtime',
    `${says}: every hook takes ten times as long as by the compiled command`,
    '`bun run build` in the checkout of Nexus',
  );
}

export async function checkKeeper(context: Context): Promise<Finding> {
  if (context.io.env['NEXUS_NO_KEEPER']) return note('keeper', 'NEXUS_NO_KEEPER is set: sessions end 30 minutes after their last command');
  const { socket } = keeperFiles((await context.settings()).dirs.runtime);
  const answer = await callKeeper(socket, { op: 'status' });
  if (answer?.ok === true) {
    const says = `process ${answer.pid ?? '?'}, keeps ${answer.sessions?.length ?? 0} session(s), ${socket}`;
    return answer.version === version
      ? ok('keeper', says)
      : note('keeper', `${says}, version ${answer.version ?? '?'}`, '`nexus keeper stop`; the next command starts this version');
  }
  return existsSync(socket)
    ? note('keeper', `nobody answers at ${socket}`, 'none is needed: the next session starts one and takes the socket over')
    : ok('keeper', 'not running; the first session starts it');
}

/** What the original Nexus left: its hook answers every edit with an error. */
export async function checkLeftovers(context: Context): Promise<Finding> {
  const home = context.io.env['HOME'] || homedir();
  const worktree = await context.worktree();
  const old = join(home, '.nexus', 'config.json');
  const plugins = [join(home, '.claude', 'plugins'), ...(worktree ? [join(worktree.toplevel, '.claude', 'plugins')] : [])];
  const found = [
    ...(existsSync(old) ? [old] : []),
    ...plugins.flatMap((dir) =>
      namesIn(dir)
        .filter((name) => /^nexus/i.test(name))
        .map((name) => join(dir, name)),
    ),
  ];
  return found.length === 0
    ? ok('leftovers', 'none of an earlier Nexus')
    : note('leftovers', found.join(', '), 'remove what is not in use any more');
}

function namesIn(dir: string): string[] {
  return statSync(dir, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(dir) : [];
}

/** An edit that opens and claims nothing, through the program that Claude Code starts, the keeper and the server. */
export async function checkHook(context: Context, hook: Command | undefined): Promise<Finding> {
  const { command, args } = hook ?? absoluteSelf(context.io);
  const started = { command, args: hook === undefined ? [...args, ...hookArgs] : args };
  const line = `\`${[started.command, ...started.args].join(' ')}\``;
  const tool = { tool_name: 'Edit', tool_input: { file_path: join(context.cwd, 'nexus-doctor') } };
  const event = JSON.stringify({ hook_event_name: 'PreToolUse', session_id: probeSession, cwd: context.cwd, ...tool });
  // The first one may have to start the keeper.
  if (!context.io.env['NEXUS_NO_KEEPER']) await run(started, event, context.io.env);
  const before = performance.now();
  const { code, out, err } = await run(started, event, context.io.env);
  const ms = Math.round(performance.now() - before);
  const says = saidIn(out);
  const remedy = 'look at what is wrong above; `nexus keeper stop` ends a keeper of another version';
  if (code !== 0 || (out !== '' && says === undefined))
    return wrong(
      'hook',
      `${line} ended with ${code}: ${(err || out).trim().split('\n')[0] ?? ''}`,
      'look at `program`, then `nexus install claude`',
    );
  if (says === undefined && (await isLinked(context))) return wrong('hook', `${line} found no project to ask for`, remedy);
  if (says !== undefined && !says.startsWith(reached)) return wrong('hook', `${line} got no answer: ${clean(says)}`, remedy);
  const far = says === undefined ? '' : `, from ${clean(says.slice(reached.length + 1))}`;
  // Claude Code waits three seconds for a hook, then lets the tool run.
  return ms < 1500
    ? ok('hook', `${line} answered in ${ms} ms${far}`)
    : note('hook', `${line} took ${ms} ms${far}; after 3 s an edit goes on unchecked`);
}

function saidIn(out: string): string | undefined {
  try {
    return Said.parse(JSON.parse(out)).systemMessage;
  } catch {
    return undefined;
  }
}

const Said = z.object({ systemMessage: z.string() });

type Ran = { code: number | null; out: string; err: string };

function run({ command, args }: Command, stdin: string, env: Context['io']['env']): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, timeout: 10_000, stdio: ['pipe', 'pipe', 'pipe'] });
    const ran: Ran = { code: null, out: '', err: '' };
    child.stdout.on('data', (chunk) => (ran.out += String(chunk)));
    child.stderr.on('data', (chunk) => (ran.err += String(chunk)));
    child.on('error', (error) => resolve({ ...ran, err: error.message }));
    child.on('close', (code) => resolve({ ...ran, code }));
    child.stdin.on('error', () => {});
    child.stdin.end(stdin);
  });
}
