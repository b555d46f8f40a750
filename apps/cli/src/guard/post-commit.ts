import type { Context } from '../context.ts';
import { claimOf, type Guard, isOnList } from './guard.ts';
import { createRunGit, namesOf, toNexusPaths } from './repository.ts';

/** Gives back what is held for short, once it is committed and not changed again. Answers the paths. */
export async function giveBackBrief(context: Context, guard: Guard): Promise<string[]> {
  const { brief } = await guard.policy();
  const session = (await guard.family())[0]?.id;
  if (brief.length === 0 || session === undefined) return [];
  const git = createRunGit(context);
  const toName = await toNexusPaths(context, git);
  const committed = namesOf(await git(['diff-tree', '--root', '--no-commit-id', '--name-only', '--no-renames', '-r', '-z', 'HEAD']));
  const listed = committed.filter((path) => isOnList(toName(path), brief));
  if (listed.length === 0) return [];
  const dirty = new Set(namesOf(await git(['--literal-pathspecs', 'diff', '--name-only', '-z', 'HEAD', '--', ...listed])));
  const nodes = new Set(
    listed
      .filter((path) => !dirty.has(path))
      .flatMap((path) => claimOf(toName(path)))
      .map(({ node }) => node),
  );
  const { client, projectId } = guard;
  const mine = await client.myClaims({ projectId }, { session });
  // A feature's own paths stay with it: somebody declared them.
  const held = mine.filter((claim) => claim.featureSlug === null && claimOf(claim.filePath).some(({ node }) => nodes.has(node)));
  const paths = held.map(({ filePath }) => filePath);
  const commit = (await git(['rev-parse', 'HEAD'])).trim();
  if (paths.length > 0) await client.releaseClaims({ projectId, body: { paths, commit } }, { session });
  return paths;
}
