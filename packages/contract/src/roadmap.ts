import { z } from 'zod';
import { Slug } from './common.ts';
import { Feature, Lane, Priority } from './features.ts';

export const Roadmap = z
  .object({
    projectId: z.string(),
    /** Every lane, in the order in which work is offered; in each what is neither done nor cancelled, first comes first. */
    lanes: z.array(z.object({ lane: Lane, features: z.array(Feature) })),
  })
  .meta({ id: 'Roadmap' });
export type Roadmap = z.infer<typeof Roadmap>;

const Sequence = z.array(Slug).max(1000).optional();
/** By lane: slugs that come to stand there in this order. What is not named stays where it is. */
export const ReorderBody = z
  .strictObject({ now: Sequence, next: Sequence, later: Sequence, icebox: Sequence })
  .refine((body) => Object.values(body).some((slugs) => slugs && slugs.length > 0), 'Name at least one lane with a slug in it.')
  .refine(
    (body) =>
      new Set(Object.values(body).flatMap((slugs) => slugs ?? [])).size === Object.values(body).flatMap((slugs) => slugs ?? []).length,
    'Each slug has one place: name it once.',
  );

export const MoveBody = z
  .strictObject({
    lane: Lane,
    priority: Priority.optional(),
    /** Directly before or after this feature of the lane. Without a place: at the end, or where it stands if it is in the lane already. */
    before: Slug.optional(),
    after: Slug.optional(),
  })
  .refine(({ priority, before, after }) => [priority, before, after].filter((place) => place !== undefined).length < 2, {
    message: 'Name one place: priority, before or after.',
    path: ['before'],
  });
