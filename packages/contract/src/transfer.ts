import { z } from 'zod';
import { ClaimInputs, Line, Slug, Timestamp } from './common.ts';
import { DependsOn, Lane, Priority, Spec } from './features.ts';
import { AddDecisionBody, AddNoteBody, learningScopes } from './knowledge.ts';
import { CreateProjectBody, PolicyChange } from './projects.ts';

/** In every export; a reader that knows another one refuses it. */
export const EXPORT_FORMAT = 'nexus-project/1';
/** What an import may weigh. */
export const MAX_IMPORT_BYTES = 32 * 1024 * 1024;

const Moment = z.iso
  .datetime()
  .refine((at) => at >= '1970', 'Give a time since 1970.')
  .meta({ format: 'date-time' });
const Author = z.strictObject({ name: Line(120), email: z.string().max(254) });

const ExportedFeature = z.strictObject({
  slug: Slug,
  title: Line(200),
  spec: Spec,
  /** One that was active is ready and interrupted: its hold stays where it is. */
  status: z.enum(['draft', 'ready', 'done', 'cancelled']),
  interrupted: z.boolean(),
  lane: Lane,
  priority: Priority,
  touches: ClaimInputs,
  dependsOn: DependsOn,
  author: Author,
  createdAt: Moment,
  updatedAt: Moment,
  completedAt: Moment.nullable(),
});

const ExportedLearning = AddNoteBody.extend({
  feature: Slug.nullable(),
  scope: z.enum(learningScopes),
  fence: z.number().int().positive().nullable(),
  author: Author,
  createdAt: Moment,
});

const ExportedDecision = AddDecisionBody.omit({ featureSlug: true, supersedes: true }).extend({
  number: z.number().int().positive().max(1_000_000),
  feature: Slug.nullable(),
  /** The number of an earlier one. */
  supersedes: z.number().int().positive().nullable(),
  author: Author,
  createdAt: Moment,
});

/**
 * A project as it can be restored into an empty one. Not in it: ids, members and keys, sessions, holds and checkpoints,
 * messages, patches, events, and the project's slug.
 */
export const ProjectExport = z
  .strictObject({
    format: z.literal(EXPORT_FORMAT),
    project: CreateProjectBody.omit({ slug: true }).extend({ policy: PolicyChange }),
    /** By slug. */
    features: z.array(ExportedFeature).max(5000),
    /** Oldest first. */
    learnings: z.array(ExportedLearning).max(20_000),
    /** By number. */
    decisions: z.array(ExportedDecision).max(5000),
  })
  .meta({ id: 'ProjectExport' });
export type ProjectExport = z.infer<typeof ProjectExport>;

export const Imported = z
  .object({ projectId: z.string(), features: z.number().int(), learnings: z.number().int(), decisions: z.number().int(), at: Timestamp })
  .meta({ id: 'Imported' });
export type Imported = z.infer<typeof Imported>;
