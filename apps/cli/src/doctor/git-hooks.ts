import { join } from 'node:path';
import type { Context } from '../context.ts';
import { readText } from '../files.ts';
import { hasBlock, hookNames } from '../guard/blocks.ts';
import { findHooksPlace, type HooksPlace, whereOf } from '../guard/hooks-place.ts';
import type { Worktree } from '../git.ts';
import { isProgram } from '../install/binary.ts';
import { type Finding, note, ok, wrong } from './finding.ts';

const check = 'git hooks';

export async function checkGitHooks(context: Context): Promise<Finding> {
  const worktree = await context.worktree();
  if (worktree === undefined) return note(check, 'no repository here');
  const place = await findHooksPlace(worktree);
  const where = whereOf(place);
  const has = (path: string): boolean => hasBlock(readText(path) ?? '');
  const missing = place.kind === 'lefthook' ? (has(where) ? [] : [...hookNames]) : hookNames.filter((hook) => !has(join(where, hook)));
  if (missing.length === hookNames.length) return note(check, `none of Nexus in ${where}`, '`nexus install git`');
  if (missing.length > 0) return wrong(check, `${missing.join(', ')} in ${where} do not ask Nexus`, '`nexus install git`');
  return unheard(worktree, place) ?? ok(check, `${hookNames.join(', ')} in ${where}`);
}

/** Hooks that are written as they should be, and that git does not run. */
function unheard({ commonDir }: Worktree, place: HooksPlace): Finding | undefined {
  const idle = (dir: string, runs: (path: string) => boolean): string[] => hookNames.filter((hook) => !runs(join(dir, hook)));
  switch (place.kind) {
    case 'directory': {
      const hooks = idle(place.dir, isProgram);
      const fix = `chmod +x ${hooks.map((hook) => join(place.dir, hook)).join(' ')}`;
      return hooks.length === 0
        ? undefined
        : wrong(check, `git passes over ${hooks.join(', ')} in ${place.dir}, which cannot be executed`, fix);
    }
    case 'husky': {
      const hooks = idle(join(place.dir, '_'), isProgram);
      return hooks.length === 0
        ? undefined
        : wrong(check, `husky runs no ${hooks.join(', ')} in this checkout yet`, '`npx husky`, or `npm install`');
    }
    case 'lefthook': {
      const hooks = idle(join(commonDir, 'hooks'), (path) => readText(path)?.includes('lefthook') === true);
      return hooks.length === 0 ? undefined : wrong(check, `lefthook runs no ${hooks.join(', ')} yet`, '`lefthook install`');
    }
  }
}
