import { parse } from 'jsonc-parser';
import { join } from 'node:path';
import { z } from 'zod';
import { readText } from '../files.ts';

/** A plugin that Claude Code is told to run here; without `hooks`, a path, it is not installed on this machine. */
export type EnabledPlugin = { name: string; hooks: string | undefined };

const Enabling = z.object({ enabledPlugins: z.record(z.string(), z.unknown()).catch({}).default({}) });
const Installed = z.object({
  plugins: z.record(z.string(), z.array(z.object({ scope: z.string(), installPath: z.string(), projectPath: z.string().optional() }))),
});

/** The plugins called `nexus` that these settings enable, the later ones deciding: the user's, the project's, the local ones. */
export function enabledPlugins(settings: string[], configDir: string, toplevel: string | undefined): EnabledPlugin[] {
  const enabled = settings.reduce<Record<string, unknown>>((merged, text) => {
    const read = Enabling.safeParse(parse(text));
    return read.success ? { ...merged, ...read.data.enabledPlugins } : merged;
  }, {});
  const installed = Installed.safeParse(parse(readText(join(configDir, 'plugins', 'installed_plugins.json')) ?? ''));
  return Object.entries(enabled).flatMap(([name, on]): EnabledPlugin[] => {
    if (on === false || !name.startsWith('nexus@')) return [];
    const copies = installed.success ? (installed.data.plugins[name] ?? []) : [];
    const copy = copies.find(({ scope, projectPath }) => scope === 'user' || projectPath === toplevel);
    return [{ name, hooks: copy && join(copy.installPath, 'hooks', 'hooks.json') }];
  });
}
