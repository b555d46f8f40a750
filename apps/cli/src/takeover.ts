import type { Feature, LeftBehind } from '@nexus/contract';
import type { Context } from './context.ts';
import { exitCodes } from './errors.ts';
import type { Worktree } from './git.ts';
import { keptWip } from './handover.ts';
import { machineId } from './machine.ts';
import { clean } from './text.ts';
import { findWip, hasWip, restoreWip, standingOf, wipCommand } from './wip/restore.ts';
import { rescue } from './wip/rescue.ts';
import { wipRef } from './wip/snapshot.ts';

/** What the session before left uncommitted: `none` as far as is known, `elsewhere` on another clone or machine. */
export type LeftWip = {
  state: 'none' | 'elsewhere' | 'kept' | 'restored' | 'here' | 'clashes';
  ref: string | null;
  files: string[];
  /** How the commit that it was on stands to this worktree's. */
  commits: 'merged' | 'apart' | 'missing' | 'unknown';
};

const nothing: LeftWip = { state: 'none', ref: null, files: [], commits: 'unknown' };

/** After a feature was granted: what its last session left uncommitted is kept here, and brought here if asked for. */
export async function takeOver(context: Context, feature: Feature, { restore }: { restore: boolean }): Promise<LeftWip> {
  await keepAround(context, feature.heldBy?.sessionId, [feature]);
  const worktree = await context.worktree();
  if (worktree === undefined || feature.left === undefined) return nothing;
  const wip = await bring(worktree, await machineOf(context), feature, feature.left, restore);
  const commit = commitOf(feature);
  return commit === undefined ? wip : { ...wip, commits: await standingOf(worktree.toplevel, commit) };
}

/** After a grant, and before its agent edits: what sessions that are gone left in this worktree is kept. Never in the way of the grant. */
export async function keepAround(context: Context, own = '', features: Feature[] = []): Promise<void> {
  const worktree = await context.worktree();
  if (worktree === undefined) return;
  try {
    const { id: projectId, client } = await context.project();
    const { interrupted, claims } = await client.status({ projectId });
    const at = { toplevel: worktree.toplevel, gitDir: worktree.gitDir, machine: await machineOf(context) };
    await rescue(at, { features: [...features, ...interrupted], claims, own });
  } catch (error) {
    context.out.warn(`what others left here was not kept: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const machineOf = async (context: Context): Promise<string> => machineId((await context.settings()).dirs.state);

async function bring(worktree: Worktree, machine: string, feature: Feature, left: LeftBehind, restore: boolean): Promise<LeftWip> {
  const ref = wipRef(left.sessionId) ?? null;
  const found = restore ? await findWip(worktree, left, machine) : await hasWip(worktree, left.sessionId);
  if (found === undefined) return { ...nothing, ref, state: keptWip(feature) ? 'elsewhere' : 'none' };
  if (!restore) return { ...nothing, state: 'kept', ref: found };
  return { ...nothing, ...(await restoreWip(worktree, found)), ref: found };
}

/** A server's text: only what is a commit's name becomes an argument. */
function commitOf({ checkpoint, left }: Feature): string | undefined {
  const commit = checkpoint?.sessionId === left?.sessionId ? checkpoint?.context['gitCommit'] : undefined;
  return typeof commit === 'string' && /^[0-9a-f]{40,64}$/.test(commit) ? commit : undefined;
}

/** Tells where it is, and what to do about it. */
export function tellWip(context: Context, feature: Feature, wip: LeftWip, asked: boolean): void {
  const { slug, left } = feature;
  if (left === undefined) return;
  tellCommits(context, feature, wip);
  const { out, exitWith } = context;
  const { state, files, ref } = wip;
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

/** Work that was committed, but not where this worktree is. */
function tellCommits({ out }: Context, feature: Feature, { commits }: LeftWip): void {
  const commit = commitOf(feature)?.slice(0, 12) ?? '';
  const branch = feature.checkpoint?.context['gitBranch'];
  const where = typeof branch === 'string' ? ` on branch ${clean(branch)}` : '';
  if (commits === 'apart') out.note(`Its commits${where} are not in yours: git merge ${commit}`);
  if (commits === 'missing')
    out.note(
      `Its commits${where}, up to ${commit}, are not in this clone: fetch them, or have ${clean(feature.left?.engineerName ?? '')} push.`,
    );
}
