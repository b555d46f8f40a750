import { NexusError } from '@nexus/client';
import type { Conflict, Finished, ProjectPolicy } from '@nexus/contract';
import { isListed, parseClaim } from '@nexus/paths';
import { conflictsOf } from '../conflicts.ts';
import { type Checkout, headOf, lacking, pullFirst } from '../finished.ts';
import { clean } from '../text.ts';
import { keptIn, settleLanded } from '../landing.ts';
import type { Actor } from './actor.ts';
import type { Verdict } from './event.ts';
import { fullDenial, shortDenial, undeclared, untold } from './say.ts';

/** Refuses what others hold, and deals with what nobody does by the project's policy. Throws when the server is away. */
export async function judge(actor: Actor, paths: string[], policy: ProjectPolicy, checkout: Checkout, again = true): Promise<Verdict> {
  const { client, own, project } = actor;
  if (own.readAt() === 0) await own.read();
  const wanted = paths.filter((path) => !own.covers(path));
  if (wanted.length === 0) return {};
  const head = await headOf(checkout);
  const body = { paths: wanted, ...(head === undefined ? {} : { head }) };
  const check = await client.checkClaims({ projectId: project.projectId, body }, { session: actor.session.id });
  const held = check.paths.flatMap(({ state, conflicts }) => (state === 'held' ? conflicts.slice(0, 1) : []));
  if (held.length > 0) {
    const landed = again ? await settleLanded(client, project.projectId, checkout, keptIn(held)) : [];
    return landed.length > 0 ? judge(actor, paths, policy, checkout, false) : { deny: denial(actor, held) };
  }
  const states = check.paths.map(({ state }, index) => ({ state, path: wanted[index] ?? '' }));
  const free = states.filter(({ state }) => state === 'free').map(({ path }) => path);
  if (free.length > 0 && policy.edits === 'strict') return { deny: undeclared(free) };
  const pull = await untoldPulls(
    actor,
    checkout,
    check.paths.flatMap(({ state, finished }) => (state === 'free' ? (finished ?? []) : [])),
  );
  if (free.length > 0 && policy.edits === 'warn') return { context: [untold(free), ...pull].join('\n') };
  const mine = states.filter(({ state }) => state === 'mine').map(({ path }) => path);
  // A subagent claims for itself also what its parent holds: that keeps its siblings out.
  const toClaim = actor.parent === undefined ? free : [...free, ...mine];
  if (actor.parent === undefined) own.also(mine);
  const verdict = toClaim.length === 0 ? {} : await claim(actor, toClaim, policy);
  return verdict.deny === undefined && pull.length > 0 ? { context: pull.join('\n') } : verdict;
}

/** What is to be pulled first, each told once to an agent: it may know better. */
async function untoldPulls({ told }: Actor, checkout: Checkout, finished: Finished[]): Promise<string[]> {
  const fresh = finished.filter(({ commit, path }) => !told.has(`${commit} ${path}`));
  const lacks = fresh.length > 0 ? await lacking(checkout, fresh) : [];
  for (const { commit, path } of fresh) told.add(`${commit} ${path}`);
  return lacks.map((one) => `Nexus: ${pullFirst(one)}.`);
}

/** For this session; a conflict in that race is a denial. Brief paths stay ad hoc, so that a commit can give them back. */
export async function claim(actor: Actor, paths: string[], { brief }: Pick<ProjectPolicy, 'brief'>): Promise<Verdict> {
  const isBrief = (path: string): boolean => isListed(foldedNode(path), brief);
  const features = actor.own.holds().filter(({ featureSlug }) => featureSlug !== null);
  const [only] = features;
  const fence = features.length === 1 ? only?.fence : undefined;
  try {
    if (fence === undefined) await claimUnder(actor, paths, undefined);
    else {
      await claimFor(
        actor,
        paths.filter((path) => !isBrief(path)),
        fence,
      );
      await claimUnder(actor, paths.filter(isBrief), undefined);
    }
    return {};
  } catch (error) {
    // Free, and others have waited for it: the server's sentence says who.
    if (error instanceof NexusError && error.code === 'QUEUED_AHEAD') return { deny: clean(error.message) };
    const conflicts = conflictsOf(error);
    if (conflicts.length === 0) throw error;
    return { deny: denial(actor, conflicts) };
  }
}

/** For a feature; ad hoc when its hold has just ended. */
async function claimFor(actor: Actor, paths: string[], fence: number): Promise<void> {
  try {
    await claimUnder(actor, paths, fence);
  } catch (error) {
    if (!(error instanceof NexusError && error.code === 'FENCED')) throw error;
    actor.own.doubt();
    await claimUnder(actor, paths, undefined);
  }
}

/** Takes over what another session of the same agent held: all, or what of it nobody else took meanwhile. */
export async function inheritPaths(actor: Actor, paths: string[]): Promise<void> {
  await actor.own.read();
  const left = paths.filter((path) => !actor.own.covers(path));
  if (left.length === 0 || (await claim(actor, left, { brief: [] })).deny === undefined) return;
  for (const path of left) await claim(actor, [path], { brief: [] });
}

async function claimUnder(actor: Actor, paths: string[], fence: number | undefined): Promise<void> {
  if (paths.length === 0) return;
  const { client, own, project, session } = actor;
  const body = { paths, ...(fence === undefined ? {} : { fence }) };
  own.took(await client.claim({ projectId: project.projectId, body }, { session: session.id }));
}

/** In full once for each path and turn, then in one line. */
export function denial(actor: Actor, conflicts: Conflict[]): string {
  const holdsFeature = actor.own.holds().some(({ featureSlug }) => featureSlug !== null);
  return conflicts
    .slice(0, 5)
    .map((conflict) => {
      const before = actor.denied.get(conflict.filePath);
      const { sessionId } = conflict.claimedBy;
      actor.denied.set(conflict.filePath, { turn: actor.turn, holder: sessionId });
      return before?.turn === actor.turn && before.holder === sessionId ? shortDenial(conflict) : fullDenial(conflict, holdsFeature);
    })
    .join('\n');
}

/** As the project's lists compare names. */
export function foldedNode(path: string): string {
  const parsed = parseClaim(path);
  return parsed.ok ? parsed.claim.node : '';
}
