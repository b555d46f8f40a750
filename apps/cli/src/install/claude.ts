import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Context } from '../context.ts';
import { usage } from '../errors.ts';
import { readText } from '../files.ts';
import { absoluteSelf } from './binary.ts';
import { apply, backUp, type Change, dropBackup, isChange, readBackup, removeIfEmpty } from './changes.ts';
import { type Command, hookArgs, isOwnHandler } from './claude-hooks.ts';
import { enabledPlugins } from './claude-plugins.ts';
import { countHooks, withHooks, withoutHooks } from './claude-settings.ts';

export const scopes = ['project', 'local', 'user'] as const;
export type Scope = (typeof scopes)[number];

export const configDir = ({ io: { env } }: Context): string => env['CLAUDE_CONFIG_DIR'] || join(env['HOME'] || homedir(), '.claude');

/** Claude Code's settings file of this scope; undefined for project and local outside a repository. */
export async function settingsPath(context: Context, scope: Scope): Promise<string | undefined> {
  if (scope === 'user') return join(configDir(context), 'settings.json');
  const worktree = await context.worktree();
  return worktree && join(worktree.toplevel, '.claude', scope === 'local' ? 'settings.local.json' : 'settings.json');
}

/** What is committed must run on everybody's machine, so only a user's own files name a path of this one. */
export function hookCommand(context: Context, scope: Scope): Command {
  if (scope === 'project') return { command: 'nexus', args: hookArgs };
  const { command, args } = absoluteSelf(context.io);
  return { command, args: [...args, ...hookArgs] };
}

export async function planInstall(context: Context, scope: Scope): Promise<Change> {
  const path = await settingsPath(context, scope);
  if (path === undefined) throw usage(`There is no git repository at ${context.cwd}. Go into one, or use --scope user.`);
  const before = readText(path);
  return { path, before, after: withHooks(path, before, hookCommand(context, scope)) };
}

/** Undefined when the file has nothing of ours. */
export async function planUninstall(context: Context, scope: Scope): Promise<Change | undefined> {
  const path = await settingsPath(context, scope);
  const before = path === undefined ? undefined : readText(path);
  if (path === undefined || before === undefined) return undefined;
  const own = [...countHooks(path, before).values()].flat()[0];
  if (own === undefined) return undefined;
  return { path, before, after: original(path, before, own) ?? withoutHooks(path, before) };
}

/** The bytes from before, when installing into them gives exactly what is there now. */
function original(path: string, now: string, { command, args }: Command): string | undefined {
  const kept = readBackup(path);
  if (kept === undefined || !isOwnHandler({ command, args })) return undefined;
  return withHooks(path, kept, { command, args }) === now ? kept : undefined;
}

export function install(change: Change): void {
  if (!isChange(change)) return;
  backUp(change);
  apply(change);
}

export function uninstall(change: Change): void {
  apply(change);
  dropBackup(change.path);
  if (change.after === undefined) removeIfEmpty(dirname(change.path));
}

/** Whatever makes Claude Code run hooks of ours: settings of the user, the project, this checkout, and plugins. */
export type Source = { path: string; text: string; hooks: Map<string, Command[]>; plugin?: string };
export type Sources = { found: Source[]; settings: { path: string; text: string }[]; absent: string[] };

/** `absent`: plugins that are enabled and not on this machine. Throws on settings that are no JSON. */
export async function findSources(context: Context): Promise<Sources> {
  const paths = await Promise.all((['user', 'project', 'local'] as const).map((scope) => settingsPath(context, scope)));
  const settings = paths.flatMap((path) => {
    const text = path === undefined ? undefined : readText(path);
    return path === undefined || text === undefined || text.trim() === '' ? [] : [{ path, text }];
  });
  const texts = settings.map(({ text }) => text);
  const plugins = enabledPlugins(texts, configDir(context), (await context.worktree())?.toplevel);
  const files = plugins.flatMap(({ name, hooks }) => {
    const text = hooks === undefined ? undefined : readText(hooks);
    return hooks === undefined || text === undefined ? [] : [{ path: hooks, text, plugin: name }];
  });
  const found = [...settings, ...files].map((file) => ({ ...file, hooks: countHooks(file.path, file.text) }));
  return {
    found: found.filter(({ hooks }) => hooks.size > 0),
    settings,
    absent: plugins.filter(({ hooks }) => hooks === undefined).map(({ name }) => name),
  };
}
