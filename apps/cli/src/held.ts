import { NexusError } from '@nexus/client';
import type { Feature } from '@nexus/contract';
import { exportBase, exportFeature, exportHandover, exportKnown, removeExport } from './active.ts';
import type { Context } from './context.ts';
import { CliError, usage } from './errors.ts';
import { checkoutOf, lacking, pullFirst } from './finished.ts';
import { handoverFacts, handoverMarkdown } from './handover.ts';
import { knownOf } from './known.ts';
import { type LeftWip, takeOver, tellWip } from './takeover.ts';
import { clean, shortId } from './text.ts';
import { baseOf } from './writes.ts';

/** The slug as given, or that of the one feature which this session holds. */
export async function heldSlug(context: Context, given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  const { slugs, sessionId, live } = await holdings(context);
  const [first, ...others] = slugs;
  if (first === undefined) {
    const { id: projectId, client } = await context.project();
    // A session that was lost says so itself, and who has its feature now.
    if ((await context.sessions()).rememberedId() !== undefined && !live) await client.heartbeat({ projectId, sessionId });
    throw new CliError('notFound', 'NOTHING_HELD', 'This session holds no feature. Name one, or see `nexus status`.');
  }
  if (others.length > 0) throw usage(`This session holds ${[first, ...others].map(clean).join(', ')}. Name the one you mean.`);
  return first;
}

/** What this terminal's session holds; nothing when it has none, or a lost one. */
export const heldSlugs = async (context: Context): Promise<string[]> => (await holdings(context)).slugs;

async function holdings(context: Context): Promise<{ slugs: string[]; sessionId: string; live: boolean }> {
  const { id: projectId, client } = await context.project();
  const acting = (await context.sessions()).acting();
  const { activeFeatures, sessions } = await client.status({ projectId });
  const sessionId = sessions.find((session) => `${session.agent}:${session.agentSessionId}` === acting)?.id ?? acting;
  const slugs = activeFeatures.filter((feature) => feature.heldBy?.sessionId === sessionId).map((feature) => feature.slug);
  return { slugs, sessionId, live: sessions.some((session) => session.id === sessionId) };
}

/** Acts as the session that this terminal had, alive or lost; says so plainly when it never had any. */
export async function asHolder<T>(context: Context, act: (session: string) => Promise<T>): Promise<T> {
  const sessions = await context.sessions();
  try {
    return await act(sessions.acting());
  } catch (error) {
    const unknown = error instanceof NexusError && error.status === 404 && sessions.rememberedId() === undefined;
    throw unknown
      ? new CliError('notFound', 'NOTHING_HELD', 'This terminal has no session, so it holds nothing. `nexus status` shows who holds what.')
      : error;
  }
}

/** Only a change of an active feature needs its holder; for others an old, lost session must not stand in the way. */
export async function sessionForChange(context: Context, slug: string): Promise<string | undefined> {
  const { id: projectId, client } = await context.project();
  const { status } = await client.getFeature({ projectId, slug });
  return status === 'active' ? (await context.sessions()).rememberedId() : undefined;
}

/** After a pick: writes the feature's files here and tells what is held, and what the session before left. */
export async function tellPicked(
  context: Context,
  feature: Feature,
  verb: 'Picked' | 'Resumed',
  { restoreWip = false }: { restoreWip?: boolean | undefined } = {},
): Promise<void> {
  const { out } = context;
  const wip = await takeOver(context, feature, { restore: restoreWip });
  const specPath = await exported(context, feature, wip);
  const checkout = await checkoutOf(context);
  const finished = checkout && feature.finished ? await lacking(checkout, feature.finished) : [];
  out.data({ ...feature, finished, specPath, ...(feature.left ? { wip } : {}) }, () => {
    const facts: [string, string][] = [
      ['fence', String(feature.fence ?? '-')],
      ['session', feature.heldBy ? `${shortId(feature.heldBy.sessionId)} (${clean(feature.heldBy.agent)})` : '-'],
      ['spec', specPath ?? `nexus feature show ${feature.slug}`],
      ['paths', feature.touches.length === 0 ? 'none: nothing is protected' : feature.touches.map(clean).join('\n           ')],
      ...handoverFacts(feature),
    ];
    const lines = facts.map(([name, value]) => `  ${name.padEnd(8)} ${value}`);
    return [`${verb} ${out.paint('bold', clean(feature.slug))}: ${clean(feature.title)}`, ...lines].join('\n');
  });
  for (const warning of feature.warnings ?? []) out.warn(clean(warning));
  for (const one of finished) out.warn(pullFirst(one));
  tellWip(context, feature, wip, restoreWip);
  out.note(`Next: work, commit, then \`nexus feature done ${clean(feature.slug)}\`.`);
}

/** The hold stands whatever happens to the files, so trouble with them is only a warning. */
async function exported(context: Context, feature: Feature, wip: LeftWip): Promise<string | null> {
  const worktree = await context.worktree();
  if (worktree === undefined) return null;
  try {
    const { id: projectId, client } = await context.project();
    const spec = exportFeature(worktree, feature);
    if (feature.checkpoint || feature.left) exportHandover(worktree, feature.slug, handoverMarkdown(feature, wip.state !== 'elsewhere'));
    const checkout = await checkoutOf(context);
    if (checkout) await exportBase(worktree, feature, (fence) => baseOf(checkout, fence));
    exportKnown(worktree, feature.slug, await knownOf(client, projectId, feature.slug));
    return spec;
  } catch (error) {
    context.out.warn(`the feature's files were not written: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

/** After release, done or cancel. */
export async function dropExport(context: Context, slug: string): Promise<void> {
  const worktree = await context.worktree();
  if (worktree === undefined) return;
  try {
    removeExport(worktree, slug);
  } catch (error) {
    context.out.warn(error instanceof Error ? error.message : String(error));
  }
}
