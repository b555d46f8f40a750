import { existsSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { isMissing } from './files.ts';
import { toplevelOf } from './git.ts';

/**
 * Paths as typed, as names below the top of the checkout that each file is in: symlinks, absolute paths,
 * sub-directories and linked worktrees come to one name, and a symlink's own name is added to its target's.
 * Outside a repository a path stays as it is; what a name may look like is the server's business.
 */
export async function repositoryPaths(typed: string[], cwd: string, find: FindToplevel = toplevelOf): Promise<string[]> {
  const toplevels = new Map<string, Promise<string | undefined>>();
  const toplevel = (dir: string): Promise<string | undefined> => {
    const known = toplevels.get(dir) ?? find(dir);
    toplevels.set(dir, known);
    return known;
  };
  const named = await Promise.all(typed.map((path) => namesOf(path, cwd, toplevel)));
  return [...new Set(named.flat())];
}

type FindToplevel = (dir: string) => Promise<string | undefined>;

async function namesOf(typed: string, cwd: string, toplevel: FindToplevel): Promise<string[]> {
  const [, prefix = '', path = ''] = /^(ro:)?(.*)$/s.exec(typed) ?? [];
  // A resource is no path, wherever one stands.
  if (path === '' || path.startsWith('res:')) return [typed];
  const { fixed, pattern } = splitPattern(path);
  const lexical = resolve(cwd, fixed === '' ? '.' : fixed);
  const { path: physical, directory } = deepestReal(lexical);
  const top = await toplevel(directory ?? dirname(physical));
  const names = new Set<string>();
  if (top !== undefined) names.add(below(top, physical));
  const written = lexicalName(lexical, top);
  if (written !== undefined) names.add(written);
  if (names.size === 0) return [typed];
  const tail = pattern !== '' ? pattern : path.endsWith('/') || isDirectory(physical) ? '/' : '';
  return [...names].map((name) => prefix + withTail(name, tail));
}

/** What stands before the first segment with a wildcard; only `*` and `?` are wildcards to Nexus. */
function splitPattern(path: string): { fixed: string; pattern: string } {
  const segments = path.split('/');
  const first = segments.findIndex((segment) => /[*?]/.test(segment));
  if (first < 0) return { fixed: path, pattern: '' };
  const fixed = segments.slice(0, first).join('/');
  return { fixed: fixed === '' && path.startsWith('/') ? '/' : fixed, pattern: segments.slice(first).join('/') };
}

function withTail(name: string, tail: string): string {
  if (name === '') return tail === '' || tail === '/' ? '**' : tail;
  return tail === '/' || tail === '' ? name + tail : `${name}/${tail}`;
}

/** The path through the real deepest existing ancestor; `directory` is that ancestor's, where git can be asked. */
function deepestReal(path: string): { path: string; directory: string | undefined } {
  const missing: string[] = [];
  for (let at = path; ;) {
    try {
      const real = realpathSync.native(at);
      return { path: join(real, ...missing), directory: isDirectory(real) ? real : dirname(real) };
    } catch (error) {
      if (!isMissing(error) || dirname(at) === at) return { path, directory: undefined };
      missing.unshift(basename(at));
      at = dirname(at);
    }
  }
}

/** The name as it is written, symlinks below the top unresolved; without a `top`, below the nearest checkout. */
function lexicalName(path: string, top: string | undefined): string | undefined {
  for (let at = path; ; at = dirname(at)) {
    if (top === undefined ? existsSync(join(at, '.git')) : deepestReal(at).path === top) return below(at, path);
    if (dirname(at) === at) return undefined;
  }
}

const below = (top: string, path: string): string => asTyped(relative(top, path).split(sep).join('/'));

/** A file's name that would be read as something else (`res:port/1`, `ro:x`), as a claim on it is spelled. */
export const asTyped = (name: string): string => (/^(?:(?:ro|res):|~|[A-Za-z]:)/.test(name) ? `./${name}` : name);

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
