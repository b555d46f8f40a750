import { AppError } from './errors.ts';
import { isUuid } from './ids.ts';

/** Where a list that is ordered by time, newest first, goes on. Opaque to clients. */
export type Position = { at: string; id: string };

/** `found` holds one row more than `limit` when there are more. */
export function pageOf<T>(found: T[], limit: number, position: (item: T) => Position) {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  const hasMore = found.length > limit;
  return { items, nextCursor: hasMore && last ? encode(position(last)) : null, hasMore };
}

const encode = ({ at, id }: Position) => Buffer.from(JSON.stringify([at, id])).toString('base64url');

/** Throws VALIDATION_ERROR for a cursor that we did not make. */
export function positionOf(cursor: string | undefined): Position | undefined {
  if (cursor === undefined) return undefined;
  try {
    const [at, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (
      typeof at === 'string' &&
      /^\d{4}-\d\d-\d\dT[\d:.]{8,12}Z$/.test(at) &&
      !Number.isNaN(Date.parse(at)) &&
      typeof id === 'string' &&
      isUuid(id)
    )
      return { at, id };
  } catch {
    // Falls through.
  }
  throw new AppError('VALIDATION_ERROR', 'This cursor is not one that this list gave. Start again without it.', {
    details: { field: 'cursor' },
  });
}
