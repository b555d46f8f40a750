import { type Claim, type ClaimInput, overlaps, parseClaim } from '@nexus/paths';
import { specsOf } from '../finished.ts';
import type { Actor } from './actor.ts';
import { dirtyPaths, type RunGit } from './dirty.ts';
import type { Place } from './places.ts';

/** Slugs that the session holds and whose work is unlanded. */
export async function unlanded(run: RunGit, actor: Actor, { worktree }: Place): Promise<string[]> {
  await actor.own.read();
  const held = actor.own
    .holds()
    .flatMap(({ featureSlug, fence }) => (featureSlug === null ? [] : [{ slug: featureSlug, paths: actor.own.pathsOf(fence) }]));
  return unlandedOf(run, worktree.toplevel, held);
}

/** Those of these features whose paths are not committed, or committed where nobody else sees them. */
export async function unlandedOf(run: RunGit, toplevel: string, held: { slug: string; paths: string[] }[]): Promise<string[]> {
  if (held.length === 0) return [];
  const dirty = [...((await dirtyPaths(run, toplevel, 500))?.keys() ?? [])].flatMap((path) =>
    claimsOf({ path: `./${path}`, kind: 'file' }),
  );
  const found: string[] = [];
  for (const { slug, paths } of held) {
    const claims = paths.flatMap(claimsOf);
    if (dirty.some((path) => claims.some((claim) => overlaps(path, claim)))) found.push(slug);
    else if (await isUnpushed(run, toplevel, paths)) found.push(slug);
  }
  return found;
}

const claimsOf = (input: string | ClaimInput): Claim[] => {
  const parsed = parseClaim(input);
  return parsed.ok ? [parsed.claim] : [];
};

/** Commits that touch these paths and are not upstream. Without an upstream: not on any other branch, here or remote. */
async function isUnpushed(run: RunGit, toplevel: string, paths: string[]): Promise<boolean> {
  const named = specsOf(paths);
  // Without a name git would mean all of them.
  if (named.length === 0) return false;
  const specs = ['--', ...named];
  const ahead = await run(toplevel, ['rev-list', '--max-count=1', '@{upstream}..HEAD', ...specs], 300);
  if (ahead !== undefined) return ahead.trim() !== '';
  const branch = (await run(toplevel, ['symbolic-ref', '--quiet', '--short', 'HEAD'], 300))?.trim();
  // A detached HEAD has no branch to land on: leave it to whoever looks.
  const others = branch === undefined ? ['--branches', '--remotes'] : [`--exclude=${branch}`, '--branches', '--remotes'];
  const own = await run(toplevel, ['rev-list', '--max-count=1', 'HEAD', '--not', ...others, ...specs], 300);
  const alone = (await run(toplevel, ['for-each-ref', '--count=2', 'refs/heads', 'refs/remotes'], 300))?.trim().split('\n').length === 1;
  return !alone && own !== undefined && own.trim() !== '';
}
