import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import type { Guard } from './guard.ts';
import { createRunGit, isMerging, stagedPaths, succeeds, toNexusPaths } from './repository.ts';
import { holdsOver, takesTrailers, withTrailers } from './trailers.ts';

/** Adds what the commit was made under to its message. A merge or squash speaks of commits that say so themselves. */
export async function addTrailers(context: Context, guard: Guard, file: string): Promise<void> {
  const git = createRunGit(context);
  const path = resolve(context.cwd, file);
  const message = readFileSync(path, 'utf8');
  const comment = (await git(['config', '--get', 'core.commentChar']).catch(() => '#')).trim();
  if (!takesTrailers(message, comment === 'auto' ? '#' : comment) || (await isMerging(git)) || (await isSquashing(context))) return;
  const toName = await toNexusPaths(context, git);
  const holds = await holdsOver(guard, (await stagedPaths(git)).map(toName));
  const signed = await withTrailers(git, message, holds);
  if (signed !== message) writeFileSync(path, signed);
}

async function isSquashing(context: Context): Promise<boolean> {
  const git = createRunGit(context);
  const path = (await git(['rev-parse', '--git-path', 'SQUASH_MSG'])).trimEnd();
  return succeeds(git, ['hash-object', '--', path]);
}
