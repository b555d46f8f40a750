import { holderOf, InTheWay } from '../claims/index.ts';
import { AppError } from '../platform/errors.ts';
import type { FeatureRow } from './features.store.ts';

export const brief = ({ id, slug, title }: { id: string; slug: string; title: string }) => ({ id, slug, title });

/** 409 that names the state, and who holds it. */
export function illegal(row: FeatureRow, what: string, deadlines = new Map<string, number>()): AppError {
  const { hold } = row;
  const held = hold ? `, held by ${hold.engineerName} (${hold.agent})` : '';
  return new AppError('INVALID_STATUS_TRANSITION', `${row.slug} is ${row.status}${held}. ${what}`, {
    details: {
      slug: row.slug,
      status: row.status,
      heldBy:
        hold &&
        holderOf(
          {
            ...hold,
            featureId: row.id,
            featureSlug: row.slug,
            featureTitle: row.title,
            parkedAt: hold.parked ? hold.grantedAt : null,
            landing: null,
            projectId: row.projectId,
            endedAs: null,
          },
          deadlines,
        ),
    },
  });
}

/** A paused agent that wakes up late is told who has it now. */
export function fenced(row: FeatureRow, fence: number | undefined): AppError {
  const { hold } = row;
  const now = hold
    ? `held by ${hold.engineerName} (${hold.agent})${hold.parked ? ', parked,' : ''} under fence ${hold.fence}`
    : `${row.status}, held by nobody`;
  return new AppError('FENCED', `${row.slug} is ${now}. Nothing was changed.`, {
    details: {
      slug: row.slug,
      status: row.status,
      fence: hold?.fence ?? null,
      quoted: fence ?? null,
      heldBy: hold && {
        sessionId: hold.sessionId,
        engineerId: hold.engineerId,
        engineerName: hold.engineerName,
        agent: hold.agent,
        since: hold.grantedAt,
        parked: hold.parked,
      },
    },
  });
}

/** Someone has it: whether that is so is looked at outside the transaction, for the holder may be dead. */
export const heldBy = (row: FeatureRow) => {
  const { hold } = row;
  if (!hold) return illegal(row, '');
  const holder = {
    ...hold,
    projectId: row.projectId,
    featureId: row.id,
    featureSlug: row.slug,
    featureTitle: row.title,
    parkedAt: hold.parked ? hold.grantedAt : null,
    endedAs: null,
  };
  const next = hold.parked
    ? `It is parked: adopt it with nexus feature resume ${row.slug}.`
    : `Pick other work (nexus feature pick-next), or wait for it (nexus feature pick --wait ${row.slug}).`;
  return new InTheWay([holder], (left) => illegal(row, next, left));
};

export const unmetError = (row: FeatureRow, unmet: string[]) =>
  new AppError(
    'DEPENDENCIES_UNMET',
    `${row.slug} waits for ${unmet.join(', ')}. Pick one of those, or other work (nexus feature pick-next).`,
    { details: { waitsFor: unmet } },
  );
