import { z } from 'zod';
import { Fence, Line, PageQuery, Slug, Text, Timestamp } from './common.ts';

/** A `pitfall` warns, a `convention` binds, a `howto` shows the way; the rest is a `note`. */
export const learningKinds = ['note', 'pitfall', 'convention', 'howto'] as const;
export const LearningKind = z.enum(learningKinds);
export type LearningKind = z.infer<typeof LearningKind>;

export const Tag = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9._/-]{0,38}[a-z0-9])?$/,
    'A tag has 1 to 40 lower-case letters, digits, dots, dashes, slashes or underscores.',
  );
const Tags = z.array(Tag).max(20);

/** Text that says something. */
const Prose = (max: number) => Text(max).refine((text) => text.trim() !== '', 'Say something.');
const NOTE = 16 * 1024;

/** `project`: a note of no feature, or one that came late, when its fence, its session or the feature's work was over. */
export const learningScopes = ['feature', 'project'] as const;

export const Learning = z
  .object({
    id: z.string(),
    projectId: z.string(),
    featureId: z.string().nullable(),
    featureSlug: z.string().nullable(),
    engineerId: z.string(),
    engineerName: z.string(),
    scope: z.enum(learningScopes),
    kind: LearningKind,
    tags: z.array(z.string()),
    content: z.string(),
    /** The one that its author quoted. */
    fence: z.number().int().nullable(),
    createdAt: Timestamp,
  })
  .meta({ id: 'Learning' });
export type Learning = z.infer<typeof Learning>;

const ofAnyLearning = { content: Prose(NOTE), kind: LearningKind.default('note'), tags: Tags.default([]) };
export const AddLearningBody = z.strictObject({ ...ofAnyLearning, fence: Fence.optional() });
export const AddNoteBody = z.strictObject(ofAnyLearning);
export const ListLearningsQuery = PageQuery.extend({ kind: LearningKind.optional(), tag: Tag.optional() });
export const ListNotesQuery = ListLearningsQuery.extend({ scope: z.enum(learningScopes).optional() });

export const Decision = z
  .object({
    id: z.string(),
    projectId: z.string(),
    /** Counts the decisions of a project; stands for the id wherever one is asked for. */
    number: z.number().int(),
    featureId: z.string().nullable(),
    featureSlug: z.string().nullable(),
    engineerId: z.string(),
    engineerName: z.string(),
    title: z.string(),
    decision: z.string(),
    rationale: z.string().nullable(),
    alternatives: z.string().nullable(),
    /** The id of the decision that this one replaces. */
    supersedes: z.string().nullable(),
    /** The id of the one that replaced it; null while it stands. */
    supersededBy: z.string().nullable(),
    createdAt: Timestamp,
  })
  .meta({ id: 'Decision' });
export type Decision = z.infer<typeof Decision>;

export const AddDecisionBody = z.strictObject({
  title: Line(200),
  decision: Prose(NOTE),
  rationale: Text(NOTE).nullish(),
  alternatives: Text(NOTE).nullish(),
  featureSlug: Slug.nullish(),
  /** Id or number of a decision of this project that none replaces yet. */
  supersedes: z.string().max(64).nullish(),
});
export const ListDecisionsQuery = PageQuery.extend({
  feature: Slug.optional(),
  /** `true`: without those that were replaced. */
  current: z.enum(['true', 'false']).optional(),
});
/** With what it replaced and what replaced it, oldest first, itself included. */
export const DecisionWithChain = Decision.extend({ chain: z.array(Decision) }).meta({ id: 'DecisionWithChain' });
export type DecisionWithChain = z.infer<typeof DecisionWithChain>;
