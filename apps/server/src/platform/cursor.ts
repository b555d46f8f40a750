import type { z } from 'zod';
import { AppError } from './errors.ts';

/** Opaque to clients; holds the list's own order, so that no page skips or repeats a row. */
export const encodeCursor = (position: unknown): string => Buffer.from(JSON.stringify(position)).toString('base64url');

export function decodeCursor<T>(cursor: string, position: z.ZodType<T>): T {
  try {
    return position.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
  } catch {
    throw new AppError('VALIDATION_ERROR', 'This cursor is not one that this list gave. Start again without it.', {
      details: { field: 'cursor' },
    });
  }
}

/** A page of `limit` rows from up to one more. */
export function paged<T>(found: T[], limit: number, position: (row: T) => unknown) {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  const hasMore = found.length > limit;
  return { items, nextCursor: hasMore && last ? encodeCursor(position(last)) : null, hasMore };
}
