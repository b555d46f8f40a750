import { z } from 'zod';
import { Commit, isStorable, Line, PageQuery, Timestamp } from './common.ts';

/** A patch is a small change: what is larger is a feature of its own. In UTF-8. */
export const MAX_PATCH_BYTES = 64 * 1024;
/** What the request that offers one may weigh: JSON doubles tabs and quotes. */
export const MAX_PATCH_BODY_BYTES = 8 * MAX_PATCH_BYTES;
/** Open ones in a project. */
export const MAX_OPEN_PATCHES = 200;
/** One that nobody took up by then is over. */
export const PATCH_DAYS = 30;

export const patchStates = ['open', 'applied', 'rejected', 'withdrawn', 'superseded', 'expired'] as const;

/** Unified, as `git diff --full-index --no-renames` writes it: text files alone, each with its blobs. */
const Diff = z
  .string()
  .min(1)
  .refine(
    (text) => new TextEncoder().encode(text).length <= MAX_PATCH_BYTES,
    'A patch has at most 64 KB. Ask for the path instead (nexus request), or cut it into several.',
  )
  .refine(isStorable, 'NUL characters and broken Unicode are not allowed here.');

export const OfferPatchBody = z.strictObject({
  /** Names its own paths. */
  diff: Diff,
  /** The commit that it was written on. */
  base: Commit.nullish(),
  /** What it is for; told to whoever holds the paths. */
  why: Line(500).optional(),
  /** An open patch of the same engineer, which this one takes the place of. */
  replaces: z.string().max(64).optional(),
});

const Person = z.object({
  engineerId: z.string(),
  engineerName: z.string(),
  sessionId: z.string().nullable(),
  agent: z.string().nullable(),
});

/** A change to paths that others hold, left for them. It claims nothing and changes nothing until somebody who holds them applies it. */
export const Patch = z
  .object({
    id: z.string(),
    projectId: z.string(),
    /** Canonical spelling. */
    paths: z.array(z.string()),
    state: z.enum(patchStates),
    why: z.string().nullable(),
    /** `featureSlug`: what they worked on. */
    author: Person.extend({ sessionId: z.string(), agent: z.string(), featureSlug: z.string().nullable() }),
    base: z.string().nullable(),
    bytes: z.number().int(),
    replaces: z.string().nullable(),
    createdAt: Timestamp,
    /** Since when nobody but its author holds any of the paths: `nexus patch apply` claims and changes them. */
    freeSince: Timestamp.nullable(),
    closedAt: Timestamp.nullable(),
    closedBy: Person.nullable(),
    /** Why it was rejected, or what came in its place. */
    note: z.string().nullable(),
    /** Of the hold that it was applied under. */
    fence: z.number().int().nullable(),
    /** What was checked out where it was applied; the change itself was not committed yet. */
    commit: z.string().nullable(),
  })
  .meta({ id: 'Patch' });
export type Patch = z.infer<typeof Patch>;

export const PatchWithDiff = Patch.extend({
  diff: z.string(),
  /** The blobs of each path before and after; null: there is none, or only the mode changes. */
  files: z.array(z.object({ path: z.string(), before: z.string().nullable(), after: z.string().nullable() })),
}).meta({ id: 'PatchWithDiff' });
export type PatchWithDiff = z.infer<typeof PatchWithDiff>;

/** `offered`: this session holds paths of it. `free`: this session wrote it, and may apply it now. `closed`: what became of its own. */
export const PatchNews = Patch.extend({ news: z.enum(['offered', 'free', 'closed']) }).meta({ id: 'PatchNews' });
export type PatchNews = z.infer<typeof PatchNews>;

export const ListPatchesQuery = PageQuery.extend({
  /** Of the project, by the caller, or open ones for paths that the acting session holds. */
  box: z.enum(['all', 'mine', 'for_me']).default('all'),
  state: z.enum(['open', 'any']).default('open'),
});

export const PatchAppliedBody = z.strictObject({ commit: Commit.optional() }).prefault({});
export const RejectPatchBody = z.strictObject({ reason: Line(500).optional() }).prefault({});
