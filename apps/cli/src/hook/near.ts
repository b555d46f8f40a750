import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseClaude } from './claude.ts';
import type { Caller } from './event.ts';

/** Without a keeper: whether it is worth loading more. A repository that does not use Nexus pays for nothing. */
export function mayBeOurs(text: string, env: Caller['env']): boolean {
  const event = parseClaude(text);
  if (event === undefined) return false;
  return Boolean(env['NEXUS_PROJECT']) || [event.cwd, ...(event.tool?.paths ?? [])].some(hasLinkAbove);
}

function hasLinkAbove(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if (existsSync(join(at, '.nexus.json'))) return true;
    const git = statSync(join(at, '.git'), { throwIfNoEntry: false });
    // A linked worktree's link may lie in the main checkout.
    if (git !== undefined) return git.isFile();
    if (dirname(at) === at) return false;
  }
}
