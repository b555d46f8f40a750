import { parse } from 'jsonc-parser';
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { z } from 'zod';
import type { Context } from '../context.ts';
import { problemOf } from '../errors.ts';
import { readText } from '../files.ts';
import { findOnPath } from '../install/binary.ts';
import { configDir, findSources, type Source, type Sources } from '../install/claude.ts';
import { type Command, hookEvents } from '../install/claude-hooks.ts';
import { withHooks } from '../install/claude-settings.ts';
import { type Finding, note, ok, wrong } from './finding.ts';

const check = 'Claude Code';

/** The finding, and what Claude Code starts. */
export async function checkClaude(context: Context): Promise<{ finding: Finding; hook: Command | undefined }> {
  try {
    const sources = await findSources(context);
    const commands = sources.found.flatMap(({ hooks }) => [...hooks.values()].flat());
    return { finding: await judge(context, sources, commands), hook: commands[0] };
  } catch (error) {
    return {
      finding: wrong(check, problemOf(error).message, 'correct the file; until then Claude Code reads none of it'),
      hook: undefined,
    };
  }
}

async function judge(context: Context, sources: Sources, commands: Command[]): Promise<Finding> {
  const { found, absent } = sources;
  const [plugin] = absent;
  if (plugin !== undefined)
    return wrong(check, `the plugin ${plugin} is enabled, but not installed here`, `\`claude plugin install ${plugin}\``);
  if (found.length === 0) return note(check, 'has no hooks of Nexus: edits are not guarded', '`nexus install claude`, or the plugin');
  const off = switchedOff(sources);
  if (off !== undefined) return wrong(check, `${off} switches every hook off (disableAllHooks)`, 'take it out of that file');
  return (
    doubled(found) ?? incomplete(context, found, commands) ?? (await untrusted(context)) ?? ok(check, `every hook once, in ${named(found)}`)
  );
}

const named = (sources: Source[]): string =>
  sources.map(({ path, plugin }) => (plugin === undefined ? path : `the plugin ${plugin}`)).join(' and ');

function doubled(found: Source[]): Finding | undefined {
  const twice = hookEvents.filter((event) => found.flatMap(({ hooks }) => hooks.get(event) ?? []).length > 1);
  if (twice.length === 0) return undefined;
  const says = twice.length === hookEvents.length ? 'each event runs twice' : `${twice.join(', ')} run twice`;
  const plugin = found.find((source) => source.plugin !== undefined)?.plugin;
  const remedy =
    plugin === undefined
      ? '`nexus uninstall claude`, then `nexus install claude`'
      : `keep one: \`nexus uninstall claude\`, or \`claude plugin disable ${plugin}\``;
  return wrong(check, `${says}, by ${named(found)}`, remedy);
}

function incomplete(context: Context, found: Source[], commands: Command[]): Finding | undefined {
  const [first] = found;
  const again = first?.plugin === undefined ? '`nexus install claude` again' : `\`claude plugin update ${first.plugin}\``;
  const missing = hookEvents.filter((event) => !found.some(({ hooks }) => hooks.has(event)));
  if (missing.length > 0) return wrong(check, `${missing.join(', ')} are missing in ${named(found)}`, again);
  const gone = commands.find(({ command }) =>
    isAbsolute(command) ? !existsSync(command) : findOnPath(context.io.env, command) === undefined,
  );
  if (gone !== undefined)
    return wrong(check, `${named(found)} calls ${gone.command}, which is not there`, 'put it on PATH, or `nexus install claude` again');
  const other = found.find(({ path, text, hooks }) => {
    const [own] = [...hooks.values()].flat();
    return own !== undefined && withHooks(path, text, { command: own.command, args: own.args }) !== text;
  });
  return other && note(check, `the hooks in ${named([other])} are not those of this version, or somebody changed them`, again);
}

/** Claude Code holds a repository's hooks back until somebody said that its folder is to be trusted; `claude -p` does not ask. */
async function untrusted(context: Context): Promise<Finding | undefined> {
  const worktree = await context.worktree();
  const dir = configDir(context);
  const text = readText(context.io.env['CLAUDE_CONFIG_DIR'] ? join(dir, '.claude.json') : join(dirname(dir), '.claude.json'));
  if (worktree === undefined || text === undefined) return undefined;
  const read = Trust.safeParse(parse(text));
  if (!read.success) return undefined;
  for (let at = context.cwd; ; at = dirname(at)) {
    if (read.data.projects[at]?.hasTrustDialogAccepted === true) return undefined;
    if (dirname(at) === at) break;
  }
  return note(
    check,
    `waits for your trust in ${worktree.toplevel}: until then its hooks do nothing`,
    'start `claude` here once and say yes',
  );
}

const Trust = z.object({ projects: z.record(z.string(), z.looseObject({ hasTrustDialogAccepted: z.boolean().optional() })) });

/** An administrator's file beside the user's own. */
const managed = ['/etc/claude-code/managed-settings.json', '/Library/Application Support/ClaudeCode/managed-settings.json'];
const Switch = z.looseObject({ disableAllHooks: z.boolean().optional() });

function switchedOff({ settings }: Sources): string | undefined {
  const files = [...settings, ...managed.map((path) => ({ path, text: readText(path) ?? '{}' }))];
  return files.find(({ text }) => Switch.safeParse(parse(text)).data?.disableAllHooks === true)?.path;
}
