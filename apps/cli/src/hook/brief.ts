import type { ProjectPolicy } from '@nexus/contract';
import { isGlob, isListed } from '@nexus/paths';
import { commitOf } from '../finished.ts';
import type { Actor } from './actor.ts';
import { dirtyPaths, type RunGit } from './dirty.ts';
import { foldedNode } from './guard.ts';
import type { Place } from './places.ts';

/** After a commit: what the session holds for short and is committed goes back, also where no git hook does it. */
export async function giveBackBrief(actor: Actor, { worktree }: Place, { brief }: ProjectPolicy, run: RunGit): Promise<void> {
  const { client, own, project, session } = actor;
  // Which paths of a pattern are committed is not asked: it goes back when its holder says so.
  const isBrief = (path: string): boolean => isListed(foldedNode(path), brief) && !isGlob(path);
  if (!own.paths().some(isBrief)) return;
  const dirty = await dirtyPaths(run, worktree.toplevel, 400);
  if (dirty === undefined) return;
  await own.read();
  const uncommitted = new Set([...dirty.keys()].map(foldedNode));
  const adHoc = own.holds().filter(({ featureSlug }) => featureSlug === null);
  const paths = adHoc.flatMap(({ fence }) => own.pathsOf(fence)).filter((path) => isBrief(path) && !uncommitted.has(foldedNode(path)));
  if (paths.length === 0) return;
  own.doubt();
  const commit = await commitOf({ run, toplevel: worktree.toplevel, ms: 200 }, paths);
  const body = { paths, ...(commit === undefined ? {} : { commit }) };
  await client.releaseClaims({ projectId: project.projectId, body }, { session: session.id });
}
