import { NexusError } from '@nexus/client';
import { Conflict } from '@nexus/contract';
import { z } from 'zod';
import { clean, clockTime, fromNow, shortId } from './text.ts';

const Details = z.object({ conflicts: z.array(Conflict) });

/** The holders in the way, when the error names them. */
export function conflictsOf(error: unknown): Conflict[] {
  if (!(error instanceof NexusError)) return [];
  const parsed = Details.safeParse(error.details);
  return parsed.success ? parsed.data.conflicts : [];
}

/** One block for each path: what was wanted, against what, by whom, since and until when. */
export function describeConflicts(conflicts: Conflict[]): string {
  return conflicts.map(describe).join('\n');
}

function describe({ filePath, heldPath, mode, claimedBy }: Conflict): string {
  const by = `${clean(claimedBy.engineerName)} (${clean(claimedBy.agent)}, session ${shortId(claimedBy.sessionId)})`;
  const against = clean(heldPath) === clean(filePath) ? 'held' : `held as ${clean(heldPath)}`;
  const work = claimedBy.featureSlug === null ? 'ad hoc' : `for ${clean(claimedBy.featureSlug)}`;
  return [
    `  ${clean(filePath)}`,
    `    ${against}${mode === 'read' ? ' for reading' : ''} by ${by} ${work}`,
    `    since ${moment(claimedBy.claimedAt)}, ${untilWhen(claimedBy)}`,
  ].join('\n');
}

/** Why the paths of a feature that is done are held. */
export const lands = (commit: string | null, slug: string | null): string =>
  `done, and held until ${commit?.slice(0, 10) ?? 'its work'} is on the default branch: \`nexus feature landed ${clean(slug ?? '<slug>')}\` tells when it is`;

function untilWhen({ expiresAt, parked, landing, featureSlug }: Conflict['claimedBy']): string {
  if (landing) return lands(landing.commit, featureSlug);
  if (parked) return 'parked: nobody works on it now, `nexus feature resume` takes it over';
  return expiresAt === null ? 'until released' : `until ${moment(expiresAt)} unless renewed`;
}

export const moment = (at: string): string => `${clockTime(at)} (${fromNow(at)})`;
