import type { Feature, LeftBehind } from '@nexus/contract';
import type { Context } from './context.ts';
import { exitCodes } from './errors.ts';
import type { Worktree } from './git.ts';
import { keptWip } from './handover.ts';
import { machineId } from './machine.ts';
import { clean } from './text.ts';
import { findWip, hasWip, restoreWip, wipCommand } from './wip/restore.ts';
import { rescue } from './wip/rescue.ts';
import { wipRef } from './wip/snapshot.ts';

/** What the session before left uncommitted: `none` as far as is known, `elsewhere` on another clone or machine. */
export type LeftWip = {
  state: 'none' | 'elsewhere' | 'kept' | 'restored' | 'here' | 'clashes';
  ref: string | null;
  files: string[];
};

const nothing: LeftWip = { state: 'none', ref: null, files: [] };

/** After a hold was granted, and before its agent edits: what others left in this worktree is kept, and brought here if asked for. */
export async function takeOver(context: Context, feature: Feature, { restore }: { restore: boolean }): Promise<LeftWip> {
  const worktree = await context.worktree();
  if (worktree === undefined) return nothing;
  try {
    const machine = machineId((await context.settings()).dirs.state);
    await keepAround(context, worktree, machine, feature);
    return feature.left === undefined ? nothing : await bring(worktree, machine, feature, feature.left, restore);
  } catch (error) {
    context.out.warn(`what was left here was not looked at: ${error instanceof Error ? error.message : String(error)}`);
    return nothing;
  }
}

async function keepAround(context: Context, { toplevel, gitDir }: Worktree, machine: string, feature: Feature): Promise<void> {
  const { id: projectId, client } = await context.project();
  const { interrupted, claims } = await client.status({ projectId });
  await rescue({ toplevel, gitDir, machine }, { features: [feature, ...interrupted], claims, own: feature.heldBy?.sessionId ?? '' });
}

async function bring(worktree: Worktree, machine: string, feature: Feature, left: LeftBehind, restore: boolean): Promise<LeftWip> {
  const ref = wipRef(left.sessionId) ?? null;
  const found = restore ? await findWip(worktree, left, machine) : await hasWip(worktree, left.sessionId);
  if (found === undefined) return { ...nothing, ref, state: keptWip(feature) ? 'elsewhere' : 'none' };
  if (!restore) return { state: 'kept', ref: found, files: [] };
  const { state, files } = await restoreWip(worktree, found);
  return { state, ref: found, files };
}

/** Tells where it is, and what to do about it. */
export function tellWip({ out, exitWith }: Context, { slug, left }: Feature, { state, files, ref }: LeftWip, asked: boolean): void {
  if (left === undefined) return;
  const again = `\`nexus feature resume ${clean(slug)} --restore-wip\``;
  const many = `${files.length} ${files.length === 1 ? 'file' : 'files'}`;
  switch (state) {
    case 'restored':
      return out.note(`Restored what it left uncommitted: ${many}, as changes of this worktree.`);
    case 'here':
      return out.note(`What it left uncommitted (${many}) is in this worktree already.`);
    case 'kept':
      return out.note(`It left uncommitted work: ${again} brings it here, or by hand: ${wipCommand(left.sessionId)}`);
    case 'clashes':
      exitWith(exitCodes.failure);
      return out.warn(
        `the feature is yours, but what it left does not fit this worktree, so nothing was written. Commit your own changes, then merge it: ${wipCommand(left.sessionId)} --3way`,
      );
    case 'elsewhere': {
      if (asked) exitWith(exitCodes.failure);
      const where =
        `in ${clean(left.worktree ?? 'its worktree')} on ${clean(left.engineerName)}’s machine ${clean(left.machine ?? '')}`.trim();
      const text = `It left uncommitted work ${where}, as ${ref ?? ''}. There: git push origin ${ref ?? ''}; then here: ${again}`;
      return asked ? out.warn(`the feature is yours, but what was left cannot be had from here. ${text}`) : out.note(text);
    }
    case 'none':
      return asked ? out.note('Nothing uncommitted is known to be left.') : undefined;
  }
}
