import { type Feature, Slug } from '@nexus/contract';
import { existsSync, lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { CliError } from './errors.ts';
import { readJson } from './files.ts';
import { excludeFromGit, type Worktree } from './git.ts';
import { decisionsMarkdown, type Known, learningsMarkdown } from './known.ts';
import { clean, cleanBlock, safeJson } from './text.ts';

/** How a worktree stood at the pick: what differs from it since was written for the feature. */
export const Base = z.object({
  fence: z.number(),
  commit: z.string().optional(),
  /** By this machine's clock, and compared with it alone. */
  at: z.number(),
  dirty: z.record(z.string(), z.string()),
});
export type Base = z.infer<typeof Base>;

/** Writes the picked feature where its agent finds it: `.nexus/active/<slug>/`. Answers the spec's path. */
export function exportFeature(worktree: Worktree, feature: Feature): string {
  const dir = featureDir(worktree, feature.slug);
  exists(worktree, feature.slug);
  mkdirSync(dir, { recursive: true });
  excludeFromGit(worktree);
  const { slug, title, lane, priority, touches, dependsOn } = feature;
  const head = stringify({ title: clean(title), slug, lane, priority, touches: touches.map(clean), dependsOn }, { lineWidth: 0 });
  const spec = join(dir, 'spec.md');
  writeFileSync(spec, `---\n${head}---\n\n${cleanBlock(feature.spec)}\n`);
  writeFileSync(join(dir, 'claims.txt'), touches.map((path) => `${clean(path)}\n`).join(''));
  writeFileSync(join(dir, 'feature.json'), `${safeJson(feature, 2)}\n`);
  return spec;
}

/** What was learned and decided on it so far, beside its spec. */
export function exportKnown(worktree: Worktree, slug: string, { learnings, decisions }: Known): void {
  const dir = featureDir(worktree, slug);
  exists(worktree, slug);
  for (const [name, text] of [
    ['learnings.md', learnings.length > 0 && learningsMarkdown(learnings)],
    ['decisions.md', decisions.length > 0 && decisionsMarkdown(decisions)],
  ] as const) {
    if (text) writeFileSync(join(dir, name), text);
    else rmSync(join(dir, name), { force: true });
  }
}

/** How the worktree stood when it was picked. A retry of that pick changes nothing: what was written since would seem old. */
export async function exportBase(worktree: Worktree, { slug, fence }: Feature, look: (fence: number) => Promise<Base>): Promise<void> {
  if (fence === null || readBase(worktree, slug)?.fence === fence) return;
  const base = await look(fence);
  exists(worktree, slug);
  writeFileSync(join(featureDir(worktree, slug), 'base.json'), `${safeJson(base, 2)}\n`);
}

export function readBase(worktree: Worktree, slug: string): Base | undefined {
  const base = exists(worktree, slug) ? Base.safeParse(readJson(join(featureDir(worktree, slug), 'base.json'))) : undefined;
  return base?.data;
}

/** What the session before left of it. */
export function exportHandover(worktree: Worktree, slug: string, text: string): void {
  exists(worktree, slug);
  writeFileSync(join(featureDir(worktree, slug), 'handover.md'), text);
}

/** Takes it away when the work is over; nothing happens where there was none. */
export function removeExport(worktree: Worktree, slug: string): void {
  const dir = featureDir(worktree, slug);
  if (!exists(worktree, slug)) return;
  rmSync(dir, { recursive: true, force: true });
  try {
    rmdirSync(join(worktree.toplevel, '.nexus', 'active'));
  } catch {
    // Other features are active here.
  }
}

/** Takes away what a session left that is over: nothing here is active in it any more. */
export function removeExportsOf(worktree: Worktree, sessionId: string): void {
  const active = join(worktree.toplevel, '.nexus', 'active');
  for (const slug of existsSync(active) ? readdirSync(active) : []) {
    if (Slug.safeParse(slug).success && heldIn(join(active, slug, 'feature.json')) === sessionId) removeExport(worktree, slug);
  }
}

const Exported = z.object({ heldBy: z.object({ sessionId: z.string() }) });

function heldIn(path: string): string | undefined {
  try {
    return Exported.parse(readJson(path)).heldBy.sessionId;
  } catch {
    return undefined;
  }
}

/** The slug comes from a server: only a well-formed one becomes part of a path. */
function featureDir(worktree: Worktree, slug: string): string {
  if (!Slug.safeParse(slug).success || slug.includes('..'))
    throw new CliError('failure', 'FAILURE', `The server named a feature "${clean(slug)}", which is no slug.`);
  return join(worktree.toplevel, '.nexus', 'active', slug);
}

/** Whether it is there. A repository may hold `.nexus` as a symlink to anywhere; nothing is written or removed through it. */
function exists(worktree: Worktree, slug: string): boolean {
  for (const parts of [['.nexus'], ['.nexus', 'active'], ['.nexus', 'active', slug]]) {
    const path = join(worktree.toplevel, ...parts);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return false;
    if (!found.isDirectory()) throw new CliError('failure', 'FAILURE', `${path} is not a directory of its own. Remove it and try again.`);
  }
  return true;
}
