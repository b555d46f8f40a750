import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { git, type Worktree } from '../git.ts';

/** Who runs this repository's hooks, and where we take part. */
export type HooksPlace =
  | { kind: 'directory'; dir: string; shared: boolean }
  /** Husky 9 runs `.husky/<hook>` through its own `.husky/_`, which it writes anew at every install. */
  | { kind: 'husky'; dir: string }
  | { kind: 'lefthook'; file: string };

const extensions = ['yml', 'yaml', 'json', 'jsonc', 'toml'];
const lefthookNames = ['lefthook', '.lefthook', '.config/lefthook'];

export async function findHooksPlace(worktree: Worktree): Promise<HooksPlace> {
  const configured = await git(worktree.toplevel, 'config', '--get', 'core.hooksPath');
  const dir = resolve(
    worktree.toplevel,
    (await git(worktree.toplevel, 'rev-parse', '--git-path', 'hooks')) ?? join(worktree.commonDir, 'hooks'),
  );
  if (basename(dir) === '_' && basename(dirname(dir)) === '.husky') return { kind: 'husky', dir: dirname(dir) };
  // Lefthook refuses to work where core.hooksPath is set.
  if (configured === undefined) {
    for (const name of lefthookNames)
      if (extensions.some((extension) => existsSync(join(worktree.toplevel, `${name}.${extension}`))))
        return { kind: 'lefthook', file: join(worktree.toplevel, `${name}-local.yml`) };
  }
  const inRepository = [worktree.toplevel, worktree.commonDir].some((parent) => dir.startsWith(`${parent}/`));
  return { kind: 'directory', dir, shared: !inRepository };
}

export const whereOf = (place: HooksPlace): string => (place.kind === 'lefthook' ? place.file : place.dir);

/** Where we may have taken part before the repository changed who runs its hooks. */
export function earlierPlaces({ toplevel, commonDir }: Worktree, now: HooksPlace): HooksPlace[] {
  const all: HooksPlace[] = [
    { kind: 'directory', dir: join(commonDir, 'hooks'), shared: false },
    { kind: 'husky', dir: join(toplevel, '.husky') },
    ...lefthookNames.map((name): HooksPlace => ({ kind: 'lefthook', file: join(toplevel, `${name}-local.yml`) })),
  ];
  return all.filter((place) => whereOf(place) !== whereOf(now));
}
