import { type Client, NexusError } from '@nexus/client';
import type { Conflict } from '@nexus/contract';
import { conflictsOf } from './conflicts.ts';
import type { Context } from './context.ts';
import { type Checkout, checkoutOf } from './finished.ts';

/** A feature that is done, and whose paths are held until its commit is on the default branch. */
type Landing = { slug: string; commit: string };
type Kept = { featureSlug: string | null; landing?: { commit: string | null } | undefined };

const landingsOf = (kept: Kept[]): Landing[] => [
  ...new Map(
    kept.flatMap(({ featureSlug: slug, landing }) => (slug && landing?.commit ? [[slug, { slug, commit: landing.commit }]] : [])),
  ).values(),
];

/** Tells the server of what has landed, as far as this clone knows. Answers the slugs. */
export async function settleLanded(client: Client, projectId: string, checkout: Checkout, kept: Kept[]): Promise<string[]> {
  const landings = landingsOf(kept);
  if (landings.length === 0) return [];
  const { defaultBranch } = await client.getProject({ projectId });
  const branch = await branchOf(checkout, defaultBranch);
  const landed: string[] = [];
  for (const { slug, commit } of branch === undefined ? [] : landings) {
    const beyond = await checkout.run(checkout.toplevel, ['rev-list', '--max-count=1', commit, `^${branch}`], checkout.ms);
    if (beyond?.trim() !== '') continue;
    try {
      await client.landedFeature({ projectId, slug });
      landed.push(slug);
    } catch (error) {
      // Who may only read says nothing.
      if (!(error instanceof NexusError && error.status < 500)) throw error;
    }
  }
  return landed;
}

/** As the remote has it; without a remote, as it is here. */
async function branchOf({ run, toplevel, ms }: Checkout, name: string): Promise<string | undefined> {
  for (const ref of [`refs/remotes/origin/${name}`, `refs/heads/${name}`])
    if (await run(toplevel, ['rev-parse', '--verify', '--quiet', ref], ms)) return ref;
  return undefined;
}

export const keptIn = (conflicts: Conflict[]): Kept[] => conflicts.map(({ claimedBy }) => claimedBy);

/** `attempt`; where it is refused because of work that has landed meanwhile, once more after telling so. */
export async function orLanded<T>(context: Context, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    const checkout = await checkoutOf(context);
    const { id: projectId, client } = await context.project();
    const landed = checkout ? await settleLanded(client, projectId, checkout, keptIn(conflictsOf(error))) : [];
    if (landed.length === 0) throw error;
    return attempt();
  }
}

/** Of all that is held so in the project. */
export async function settleAllLanded(context: Context): Promise<string[]> {
  const checkout = await checkoutOf(context);
  const { id: projectId, client } = await context.project();
  return checkout ? settleLanded(client, projectId, checkout, await client.listClaims({ projectId })) : [];
}
