import { z } from 'zod';

export const Timestamp = z.string().meta({ format: 'date-time', description: 'RFC 3339, UTC' });

const slugPattern = /^[a-z0-9](?:[a-z0-9._-]{0,78}[a-z0-9])?$/;
export const Slug = z
  .string()
  .regex(slugPattern, 'Use 1 to 80 lower-case letters, digits, dots, dashes or underscores; begin and end with a letter or digit.')
  .meta({ examples: ['auth-refactor'] });

const isControl = (char: string) => char < ' ' || char === '\u007f';

/** One line of text as a person types it: trimmed, no control characters. */
export const Line = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    .refine((text) => text.isWellFormed() && ![...text].some(isControl), 'Control characters and broken Unicode are not allowed here.');

/** Whether PostgreSQL can store it: no NUL and no half of a surrogate pair, in keys and values of any depth. */
export function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\u0000') && value.isWellFormed();
  return typeof value !== 'object' || value === null || Object.entries(value).every(([key, inner]) => isStorable(key) && isStorable(inner));
}

/** Longer text; NUL cannot be stored by PostgreSQL. */
export const Text = (max: number) => z.string().max(max).refine(isStorable, 'NUL characters and broken Unicode are not allowed here.');

export const page = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable(), hasMore: z.boolean() });

export const PageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z.string().max(512).optional(),
});

export const roles = ['lead', 'member', 'readonly'] as const;
export const Role = z.enum(roles);
export type Role = z.infer<typeof Role>;

/**
 * A path as callers write it: `src/a.ts`, `src/auth/` or `src/auth/**` (a tree), a pattern like `src/*.ts`, `ro:` in front for
 * reading; a thing that is no path like `res:port/5432`; or the explicit form, whose kind `glob` also reads braces and classes.
 */
export const ClaimInput = z.union([
  z.string().max(1100),
  z.strictObject({
    path: z.string().max(1100),
    kind: z.enum(['file', 'tree', 'glob', 'resource']).optional(),
    mode: z.enum(['read', 'write']).optional(),
  }),
]);
export type ClaimInput = z.infer<typeof ClaimInput>;

/** At most this many paths in one hold. */
export const MAX_CLAIMS_PER_HOLD = 500;
/** At most this many patterns in one hold, and held in one project: each is compared with whatever is asked for below it. */
export const MAX_GLOBS_PER_HOLD = 32;
export const MAX_GLOBS_PER_PROJECT = 128;
export const ClaimInputs = z.array(ClaimInput).max(MAX_CLAIMS_PER_HOLD);

/** A git commit, by its whole name. */
export const Commit = z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, 'A commit is named in full: 40 or 64 hexadecimal digits.');

export const Fence = z.number().int().positive().meta({ description: 'The number of a hold; grows with each hold of the project.' });
