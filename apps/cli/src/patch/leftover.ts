import type { Patch } from '@nexus/contract';
import { overlaps, parseClaim } from '@nexus/paths';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { sender } from '../messages.ts';
import { clean, shortId } from '../text.ts';
import { pathsOf, titleOf } from './found.ts';
import { takePatch } from './take.ts';

/** Open patches for what this session holds for a feature, oldest first. Never in the way of what ends it. */
export async function patchesFor(context: Context, slug: string): Promise<Patch[]> {
  try {
    const { id: projectId, client } = await context.project();
    const session = (await context.sessions()).acting();
    const { items } = await client.listPatches({ projectId, query: { box: 'for_me', limit: 100 } }, { session });
    if (items.length === 0) return [];
    const held = (await client.myClaims({ projectId }, { session })).filter(({ featureSlug }) => featureSlug === slug);
    const claims = held.flatMap(({ filePath, kind }) => {
      const parsed = parseClaim({ path: filePath, kind });
      return parsed.ok ? [parsed.claim] : [];
    });
    const concerns = (path: string): boolean => {
      const parsed = parseClaim({ path, kind: 'file' });
      return parsed.ok && claims.some((claim) => overlaps(claim, parsed.claim));
    };
    return items.filter(({ paths }) => paths.some(concerns)).toReversed();
  } catch {
    return [];
  }
}

/** Before `done`: what fits is applied, and then that is to be committed first. */
export async function applyAll(context: Context, slug: string): Promise<void> {
  const applied: Patch[] = [];
  for (const { id } of await patchesFor(context, slug)) {
    try {
      applied.push((await takePatch(context, id)).patch);
    } catch (error) {
      context.out.warn(clean(error instanceof Error ? error.message : String(error)));
    }
  }
  if (applied.length > 0)
    throw new CliError(
      'failure',
      'PATCHES_APPLIED',
      `Applied ${applied.map(titleOf).join('; ')}. ${clean(slug)} is not done yet: look at the change, commit it, then run \`nexus feature done ${clean(slug)}\` again.`,
      { applied: applied.map(({ id }) => id) },
    );
}

/** After a hold ended: whose changes did not get in, and what becomes of them. */
export function tellLeft({ out }: Context, patches: Patch[]): void {
  for (const patch of patches)
    out.note(
      `Not applied: patch ${shortId(patch.id)} of ${sender(patch.author)} to ${pathsOf(patch)}. They are told when the path is free, and can apply it then.`,
    );
}
