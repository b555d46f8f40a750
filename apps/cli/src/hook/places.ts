import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findDirs, type Dirs, readSettings } from '../config.ts';
import { createCredentials, findKey } from '../credentials.ts';
import { findWorktree, type Worktree } from '../git.ts';
import { repositoryPaths } from '../paths.ts';
import type { Caller } from './event.ts';

/** A project as a repository and the user's credentials name it. */
export type ProjectLink = { server: string; apiKey: string; wanted: string; dirs: Dirs };
export type Place = { worktree: Worktree; link: ProjectLink };

export type Places = {
  /** The checkout that this file or directory is in, when it belongs to a project that the user may act in. */
  find: (path: string, env: Caller['env']) => Promise<Place | undefined>;
  /** Absolute paths as names below the top of their checkout; `checkout` must be the one that they are in. */
  names: (paths: string[], checkout: Worktree) => Promise<string[]>;
  /** The agent has moved, or made a worktree. */
  forget: () => void;
};

type Needs = { now: () => number; findGit?: (dir: string) => Promise<Worktree | undefined> };

/** Login, link and branch may change under a running keeper; looking again costs a few file reads. */
const freshMs = 10_000;

/** Costs no process for a directory whose checkout is known. */
export function createPlaces({ now, findGit = findWorktree }: Needs): Places {
  const worktrees = new Map<string, { at: number; found: Promise<Worktree | undefined> }>();
  const links = new Map<string, { at: number; link: ProjectLink | undefined }>();

  const worktreeOf = (path: string): Promise<Worktree | undefined> => {
    const marker = gitMarker(path);
    if (marker === undefined) return Promise.resolve(undefined);
    const known = worktrees.get(marker);
    if (known !== undefined && now() - known.at < 60_000) return known.found;
    const found = findGit(marker);
    worktrees.set(marker, { at: now(), found });
    return found;
  };

  const linkOf = (dir: string, worktree: Worktree, env: Caller['env']): ProjectLink | undefined => {
    const key = `${dir}\0${JSON.stringify(env)}`;
    const known = links.get(key);
    if (known !== undefined && now() - known.at < freshMs) return known.link;
    const link = readLink(dir, worktree, env);
    if (links.size > 2000) links.clear();
    links.set(key, { at: now(), link });
    return link;
  };

  return {
    find: async (path, env) => {
      const worktree = await worktreeOf(path);
      if (worktree === undefined) return undefined;
      const link = linkOf(worktree.toplevel, worktree, located(env));
      return link && { worktree, link };
    },
    names: (paths, { toplevel }) => repositoryPaths(paths, toplevel, async (dir) => (await worktreeOf(dir))?.toplevel),
    forget: () => {
      worktrees.clear();
      links.clear();
    },
  };
}

/** The nearest directory at or above the path that has a `.git`. */
function gitMarker(path: string): string | undefined {
  for (let at = realDirectory(path); ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return at;
    if (dirname(at) === at) return undefined;
  }
}

function realDirectory(path: string): string {
  for (let at = path; ; at = dirname(at)) {
    try {
      return realpathSync.native(at);
    } catch {
      if (dirname(at) === at) return at;
    }
  }
}

const decides = /^(?:HOME|XDG_\w+|NEXUS_(?:SERVER_URL|TOKEN|PROJECT|CONFIG_DIR|STATE_DIR|RUNTIME_DIR))$/;
const located = (env: Caller['env']): Caller['env'] => Object.fromEntries(Object.entries(env).filter(([name]) => decides.test(name)));

/** A repository that names no project, or a user without a key, is none of ours: undefined, whatever is wrong. */
function readLink(cwd: string, worktree: Worktree, env: Caller['env']): ProjectLink | undefined {
  try {
    const settings = readSettings({ flags: {}, env, cwd, worktree });
    if (settings.project === undefined || (settings.link === undefined && !env['NEXUS_PROJECT'])) return undefined;
    const apiKey = findKey({ settings, credentials: createCredentials(settings.dirs), env });
    return apiKey === undefined ? undefined : { server: settings.server, apiKey, wanted: settings.project, dirs: findDirs(env) };
  } catch {
    return undefined;
  }
}
