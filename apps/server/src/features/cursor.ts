import { AppError } from '../platform/errors.ts';
import { isUuid } from '../platform/ids.ts';
import type { Position } from './features.store.ts';

/** Opaque to clients; the list's own order, so that no page skips or repeats a row. */
export const encodeCursor = ({ lane, priority, id }: Position) => Buffer.from(JSON.stringify([lane, priority, id])).toString('base64url');

export function decodeCursor(cursor: string): Position {
  try {
    const [lane, priority, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (typeof lane === 'number' && [0, 1, 2, 3].includes(lane) && typeof priority === 'number' && typeof id === 'string' && isUuid(id))
      return { lane, priority, id };
  } catch {
    // Falls through: a cursor that we did not make.
  }
  throw new AppError('VALIDATION_ERROR', 'This cursor is not one that this list gave. Start again without it.', {
    details: { field: 'cursor' },
  });
}
