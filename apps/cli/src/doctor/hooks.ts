import { existsSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { parse } from 'jsonc-parser';
import type { Context } from '../context.ts';
import { problemOf } from '../errors.ts';
import { readText } from '../files.ts';
import { hasBlock, hookNames } from '../guard/blocks.ts';
import { findHooksPlace } from '../guard/hooks-place.ts';
import { settingsPath, scopes } from '../install/claude.ts';
import { type Command, hookEvents } from '../install/claude-hooks.ts';
import { countHooks } from '../install/claude-settings.ts';
import { findOnPath } from '../install/binary.ts';
import { type Finding, note, ok, wrong } from './finding.ts';

export async function checkGitHooks(context: Context): Promise<Finding> {
  const worktree = await context.worktree();
  if (worktree === undefined) return note('git hooks', 'no repository here');
  const place = await findHooksPlace(worktree);
  const has = (path: string): boolean => hasBlock(readText(path) ?? '');
  const where = place.kind === 'lefthook' ? place.file : place.dir;
  const missing = place.kind === 'lefthook' ? (has(where) ? [] : [...hookNames]) : hookNames.filter((hook) => !has(join(where, hook)));
  if (missing.length === hookNames.length) return note('git hooks', `none of Nexus in ${where}`, '`nexus install git`');
  if (missing.length > 0) return wrong('git hooks', `${missing.join(', ')} in ${where} do not ask Nexus`, '`nexus install git`');
  const idle = place.kind === 'directory' ? hookNames.filter((hook) => (statSync(join(where, hook)).mode & 0o111) === 0) : [];
  return idle.length === 0
    ? ok('git hooks', `${hookNames.join(', ')} in ${where}`)
    : wrong(
        'git hooks',
        `git passes over ${idle.join(', ')} in ${where}, which cannot be executed`,
        `chmod +x ${idle.map((hook) => join(where, hook)).join(' ')}`,
      );
}

type Registered = { path: string; hooks: Map<string, Command[]>; plugins: string[] };

/** The finding, and what Claude Code starts. */
export async function checkClaude(context: Context): Promise<{ finding: Finding; hook: Command | undefined }> {
  try {
    const found = await registered(context);
    const commands = found.flatMap(({ hooks }) => [...hooks.values()].flat());
    return { finding: judge(context, found, commands), hook: commands[0] };
  } catch (error) {
    return {
      finding: wrong('Claude Code', problemOf(error).message, 'correct the file; until then Claude Code reads none of it'),
      hook: undefined,
    };
  }
}

function judge(context: Context, found: Registered[], commands: Command[]): Finding {
  const check = 'Claude Code';
  const files = found.filter(({ hooks }) => hooks.size > 0);
  const plugins = found.flatMap((one) => one.plugins);
  if (files.length === 0)
    return plugins.length > 0
      ? ok(check, `hooks by the plugin ${plugins.join(', ')}`)
      : note(check, 'has no hooks of Nexus: edits are not guarded', '`nexus install claude`');
  if (plugins.length > 0)
    return wrong(
      check,
      `hooks by the plugin ${plugins.join(', ')} and by settings: each event runs twice`,
      '`nexus uninstall claude`, or disable the plugin',
    );
  const twice = hookEvents.filter((event) => files.flatMap(({ hooks }) => hooks.get(event) ?? []).length > 1);
  const where = files.map(({ path }) => path).join(' and ');
  if (twice.length > 0)
    return wrong(check, `${twice.join(', ')} run twice, by ${where}`, '`nexus uninstall claude`, then `nexus install claude`');
  const missing = hookEvents.filter((event) => !files.some(({ hooks }) => hooks.has(event)));
  if (missing.length > 0) return wrong(check, `${missing.join(', ')} are missing in ${where}`, '`nexus install claude` again');
  const gone = commands.find(({ command }) =>
    isAbsolute(command) ? !existsSync(command) : findOnPath(context.io.env, command) === undefined,
  );
  return gone === undefined
    ? ok(check, `every hook once, in ${where}`)
    : wrong(check, `${where} calls ${gone.command}, which is not there`, 'put it on PATH, or `nexus install claude` again');
}

async function registered(context: Context): Promise<Registered[]> {
  const paths = await Promise.all(scopes.map((scope) => settingsPath(context, scope)));
  return paths.flatMap((path): Registered[] => {
    const text = path === undefined ? undefined : readText(path);
    if (path === undefined || text === undefined || text.trim() === '') return [];
    return [{ path, hooks: countHooks(path, text), plugins: enabledPlugins(text) }];
  });
}

function enabledPlugins(text: string): string[] {
  const settings = parse(text) as { enabledPlugins?: Record<string, unknown> } | undefined;
  return Object.entries(settings?.enabledPlugins ?? {}).flatMap(([name, on]) => (on !== false && name.startsWith('nexus@') ? [name] : []));
}
