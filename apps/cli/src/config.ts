import { dirname, join } from 'node:path';
import { z } from 'zod';
import { type Dirs, findDirs } from './dirs.ts';
import { CliError, usage } from './errors.ts';
import { readJson, writeJson } from './files.ts';
import type { Worktree } from './git.ts';
import type { Io } from './io.ts';

export { type Dirs, findDirs };

export const defaultServer = 'http://127.0.0.1:3000';

type Env = Io['env'];

/** `.nexus.json`, made to be committed: which server and project this repository belongs to. */
export const LinkFile = z.looseObject({ server: z.string().optional(), projectId: z.string().optional(), slug: z.string().optional() });
export type LinkFile = z.infer<typeof LinkFile>;

const UserConfig = z.looseObject({ server: z.string().optional(), project: z.string().optional() });
export type UserConfig = z.infer<typeof UserConfig>;

export type Flags = { server?: string | undefined; project?: string | undefined };

export type Settings = {
  /** An origin, such as `http://127.0.0.1:3000`. */
  server: string;
  /** A repository may name a server; only the user can vouch for one. */
  serverFrom: 'flag' | 'env' | 'repository' | 'user' | 'default';
  /** Id or slug, and the id beside a slug when `.nexus.json` has both. */
  project: string | undefined;
  link: { path: string; file: LinkFile } | undefined;
  dirs: Dirs;
};

type Needs = { flags: Flags; env: Env; cwd: string; worktree: Worktree | undefined };

/** Flag, environment, `.nexus.json`, the user's configuration, default: the first that says something counts. */
export function readSettings({ flags, env, cwd, worktree }: Needs): Settings {
  const dirs = findDirs(env);
  const link = findLink(cwd, worktree);
  const user = readUserConfig(dirs);
  const [server, serverFrom]: [string, Settings['serverFrom']] =
    flags.server !== undefined
      ? [flags.server, 'flag']
      : env['NEXUS_SERVER_URL']
        ? [env['NEXUS_SERVER_URL'], 'env']
        : link?.file.server !== undefined
          ? [link.file.server, 'repository']
          : user.server !== undefined
            ? [user.server, 'user']
            : [defaultServer, 'default'];
  const origin = originOf(server);
  const linkedHere = link !== undefined && (link.file.server === undefined || originOf(link.file.server) === origin);
  return {
    server: origin,
    // Naming what would be used anyway, the repository redirects nothing.
    serverFrom: serverFrom === 'repository' && origin === originOf(user.server ?? defaultServer) ? 'user' : serverFrom,
    project:
      flags.project ??
      (env['NEXUS_PROJECT'] || undefined) ??
      (linkedHere ? (link.file.projectId ?? link.file.slug) : undefined) ??
      user.project,
    link,
    dirs,
  };
}

export function originOf(server: string): string {
  const url = parseUrl(server);
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw usage(`"${server}" is not a server's address; write it as https://nexus.example.com.`);
  return url.origin;
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** From `cwd` up to the checkout's top and no further, so that no stranger's file in /tmp counts; then the main checkout. */
function findLink(cwd: string, worktree: Worktree | undefined): Settings['link'] {
  const directories = [cwd];
  if (worktree !== undefined) {
    for (let at = cwd; at !== worktree.toplevel && dirname(at) !== at;) directories.push((at = dirname(at)));
    directories.push(worktree.toplevel);
    if (worktree.mainCheckout !== undefined) directories.push(worktree.mainCheckout);
  }
  for (const directory of directories) {
    const path = join(directory, '.nexus.json');
    const content = readJson(path);
    if (content !== undefined) return { path, file: parsed(LinkFile, content, path) };
  }
  return undefined;
}

const userConfigPath = (dirs: Dirs): string => join(dirs.config, 'config.json');

export function readUserConfig(dirs: Dirs): UserConfig {
  const path = userConfigPath(dirs);
  const content = readJson(path);
  return content === undefined ? {} : parsed(UserConfig, content, path);
}

export function updateUserConfig(dirs: Dirs, changes: UserConfig): void {
  writeJson(userConfigPath(dirs), { ...readUserConfig(dirs), ...changes });
}

function parsed<T>(schema: z.ZodType<T>, content: unknown, path: string): T {
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new CliError(
    'failure',
    'CONFIG_INVALID',
    `${path}: ${issue?.path.join('.') || 'the file'}: ${issue?.message ?? 'not understood'}.`,
  );
}
