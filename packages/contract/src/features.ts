import { z } from 'zod';
import { Checkpoint, LeftBehind } from './checkpoints.ts';
import { ClaimInputs, Commit, Fence, Line, PageQuery, Slug, Text, Timestamp } from './common.ts';
import { Conflict, Finished } from './errors.ts';

export const featureStatuses = ['draft', 'ready', 'active', 'done', 'cancelled'] as const;
export type FeatureStatus = (typeof featureStatuses)[number];
/** In the order in which work is offered. */
export const lanes = ['now', 'next', 'later', 'icebox'] as const;
export const Lane = z.enum(lanes);
export type Lane = z.infer<typeof Lane>;

export const Priority = z.number().min(-1e9).max(1e9).meta({ description: 'Within its lane, lowest first. Default: after the last one.' });
export const Spec = Text(64 * 1024);
export const DependsOn = z.array(Slug).max(50);

/** A path that was written, and that nobody who works in that worktree had claimed for writing. */
export const Undeclared = z
  .object({
    path: z.string(),
    /** Who holds it now, elsewhere. */
    heldBy: z
      .object({
        sessionId: z.string(),
        engineerName: z.string(),
        agent: z.string(),
        featureSlug: z.string().nullable(),
        fence: z.number().int(),
        mode: z.enum(['read', 'write']),
      })
      .nullable(),
  })
  .meta({ id: 'Undeclared' });
export type Undeclared = z.infer<typeof Undeclared>;

export const Feature = z
  .object({
    id: z.string(),
    projectId: z.string(),
    slug: z.string(),
    title: z.string(),
    spec: z.string(),
    status: z.enum(featureStatuses),
    lane: Lane,
    priority: z.number(),
    touches: z.array(z.string()),
    dependsOn: z.array(z.string()),
    createdBy: z.string(),
    claimedBy: z.string().nullable(),
    claimedAt: Timestamp.nullable(),
    completedAt: Timestamp.nullable(),
    createdAt: Timestamp,
    updatedAt: Timestamp,
    version: z.number().int(),
    heldBy: z.object({ sessionId: z.string(), agent: z.string(), engineerName: z.string(), parked: z.boolean() }).nullable(),
    fence: z.number().int().nullable(),
    /** Its last session was lost: there may be work to take over. */
    interrupted: z.boolean(),
    /** The last one, in answers about one feature, and in lists where it is interrupted or parked. */
    checkpoint: Checkpoint.optional(),
    /** Who left it interrupted or parked, until it is finished or given back; where `checkpoint` is. */
    left: LeftBehind.optional(),
    /** In the answer to a pick that names its `head`: where its paths were finished elsewhere, latest first. */
    finished: z.array(Finished).optional(),
    /** In the answer to a `done` that names its `writes`: those that nobody had declared. */
    undeclared: z.array(Undeclared).optional(),
    /** What the caller should know though the call succeeded. */
    warnings: z.array(z.string()).optional(),
  })
  .meta({ id: 'Feature' });
export type Feature = z.infer<typeof Feature>;

export const CreateFeatureBody = z.strictObject({
  slug: Slug.refine((slug) => slug !== 'available', 'This name is a route. Choose another slug.'),
  title: Line(200),
  spec: Spec,
  lane: Lane.default('next'),
  priority: Priority.optional(),
  touches: ClaimInputs.default([]),
  dependsOn: DependsOn.default([]),
  /** Offers it for picking in the same commit. */
  ready: z.boolean().default(false),
});
export type CreateFeatureBody = z.input<typeof CreateFeatureBody>;

export const UpdateFeatureBody = z
  .strictObject({
    title: Line(200).optional(),
    spec: Spec.optional(),
    lane: Lane.optional(),
    priority: Priority.optional(),
    touches: ClaimInputs.optional(),
    dependsOn: DependsOn.optional(),
    /** Names the hold that a change of `touches` extends or shrinks; without it, the session's current one. */
    fence: Fence.optional(),
  })
  .refine((body) => Object.keys(body).some((key) => key !== 'fence'), 'Name at least one field to change.');

export const ListFeaturesQuery = PageQuery.extend({ status: z.enum(featureStatuses).optional(), lane: Lane.optional() });

export const AvailableFeature = Feature.extend({
  /** The first holder in the way; null when it can be picked. */
  blockedBy: z.object({ engineerId: z.string(), engineerName: z.string(), featureSlug: z.string().nullable() }).nullable(),
  conflicts: z.array(Conflict),
  /** Slugs of features that must be done first. */
  waitsFor: z.array(z.string()),
}).meta({ id: 'AvailableFeature' });
export type AvailableFeature = z.infer<typeof AvailableFeature>;

const HoldAction = {
  fence: Fence.optional(),
  /** The commit that has the work: whoever takes the paths next is told of it. */
  commit: Commit.optional(),
};
export const HoldActionBody = z.strictObject(HoldAction).prefault({});
/** At most this many names in one report: more is the work of a tool, not of a feature. */
export const MAX_WRITES = 1000;
export const DoneBody = z
  .strictObject({
    ...HoldAction,
    /**
     * What the session wrote since the pick: uncommitted paths and those of its commits, a rename by both names. An empty
     * list says that nothing was written; absent says nothing, which a project whose policy is to refuse does not take.
     */
    writes: z
      .strictObject({
        paths: z.array(z.string().max(1100)).max(MAX_WRITES),
        /** There were more, left out because they are held: what was declared and not written is then not known. */
        more: z.boolean().default(false),
      })
      .optional(),
    /** Why undeclared writes are right: taken where the project would refuse them, and kept with them. */
    explanation: Line(500).optional(),
  })
  .prefault({});
/** `head`: the commit that the caller's checkout is at. */
export const PickBody = z.strictObject({ head: Commit.optional() }).prefault({});
/** `commit`: the one on the default branch that has the work, where that is not the one that `done` named. */
export const LandedBody = z.strictObject({ commit: Commit.optional() }).prefault({});
export const PickNextBody = z.strictObject({ lane: Lane.optional(), head: Commit.optional() }).prefault({});
export const ForceReleaseBody = z.strictObject({
  /** The fence of the hold to end, as `nexus feature show` prints it: so that nobody breaks a newer hold by mistake. */
  fence: Fence,
  reason: Line(500),
});
export const Deleted = z.object({ deleted: z.literal(true) }).meta({ id: 'Deleted' });
