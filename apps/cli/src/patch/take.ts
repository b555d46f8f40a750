import { NexusError } from '@nexus/client';
import type { Patch } from '@nexus/contract';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Worktree } from '../git.ts';
import { keepAround } from '../takeover.ts';
import { clean, shortId } from '../text.ts';
import { type Prepared, prepare, unwrite, write } from './apply.ts';
import { pathsOf } from './found.ts';
import { headOf } from './scratch.ts';

export type Taken = {
  patch: Patch;
  /** Claimed for it. */
  claimed: string[];
  /** Changed here, and not committed; none where the files had it already. */
  changed: string[];
};

/**
 * Puts a patch into this worktree's files. Whatever of its paths is free is claimed first; what another holds is refused.
 * The files are written before that is told: whoever is cut off in between runs it again, and nothing is changed twice.
 */
export async function takePatch(context: Context, id: string, { byHand = false }: { byHand?: boolean } = {}): Promise<Taken> {
  const { id: projectId, client } = await context.project();
  const worktree = await requireWorktree(context);
  const patch = await client.getPatch({ projectId, patchId: id });
  if (patch.state !== 'open')
    throw new CliError('conflict', 'INVALID_STATUS_TRANSITION', `Patch ${shortId(id)} is ${patch.state} already. Nothing was changed.`);
  const session = await (await context.sessions()).openId();
  const asFiles = (paths: string[]) => paths.map((path) => ({ path, kind: 'file' as const }));
  const { paths } = await client.checkClaims({ projectId, body: { paths: asFiles(patch.paths) } }, { session });
  const lacking = paths.filter(({ state }) => state !== 'mine').map(({ path }) => path);
  const claim = () => client.claim({ projectId, body: { paths: asFiles(lacking), reason: `patch ${shortId(id)}` } }, { session });
  // Says who has it.
  if (paths.some(({ state }) => state === 'held')) await claim();
  const prepared = byHand ? nothing() : await prepare(worktree, patch);
  if (prepared === undefined)
    throw new CliError(
      'conflict',
      'PATCH_CONFLICTS',
      `Patch ${shortId(id)} does not fit ${pathsOf(patch)} as it is here. Nothing was changed, and the patch stays open. \`nexus patch show ${shortId(id)}\` shows it; made by hand, \`nexus patch apply ${shortId(id)} --by-hand\` says so; \`nexus patch reject ${shortId(id)} -m "…"\` says no.`,
    );
  const claimed = lacking.length === 0 ? [] : (await claim()).changed;
  if (claimed.length > 0) await keepAround(context, session);
  if (!(await write(worktree, prepared)))
    throw new CliError(
      'failure',
      'CHANGED_MEANWHILE',
      `${pathsOf(patch)} changed while the patch was being merged. Nothing was written: run it again.`,
    );
  const commit = await headOf(worktree);
  try {
    const done = await client.patchApplied({ projectId, patchId: id, body: commit === undefined ? {} : { commit } }, { session });
    return { patch: done, claimed, changed: prepared.paths };
  } catch (error) {
    throw await settled(context, worktree, prepared, id, error);
  }
}

const nothing = (): Prepared => ({ paths: [], before: new Map(), after: new Map() });

/** The server refused it: then the files must not have it either, unless another of these sessions wrote it here. */
async function settled(context: Context, worktree: Worktree, prepared: Prepared, id: string, error: unknown): Promise<unknown> {
  // Without a word it may have been taken: run again, it is told once more.
  if (!(error instanceof NexusError) || error.status >= 500) return error;
  const { id: projectId, client } = await context.project();
  const { state } = await client.getPatch({ projectId, patchId: id });
  if (state !== 'applied') await unwrite(worktree, prepared);
  const said = state === 'applied' ? 'These files have it as well.' : 'These files are as they were.';
  context.out.warn(`${said} ${clean(error.message)}`);
  return error;
}

export async function requireWorktree(context: Context): Promise<Worktree> {
  const worktree = await context.worktree();
  if (worktree === undefined)
    throw new CliError('usage', 'USAGE', 'This is no git repository: patches are made and applied in a checkout of the project.');
  return worktree;
}
