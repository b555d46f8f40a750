import { AppError } from '../platform/errors.ts';
import { Cursor } from '@nexus/contract';
import type { Position } from './feed.store.ts';

/** Where a reader starts: after `seq`, once it was told to read the state again if `reset`. */
export type Start = { seq: number; reset: boolean };

/**
 * `after` omitted: from now on; `0`: all that is kept. A cursor of another epoch, from ahead, or older than what is kept
 * means that events between it and now are out of reach: `reset`.
 */
export function startOf(after: string | undefined, { epoch, head, oldest }: Position): Start {
  if (after === undefined) return { seq: head, reset: false };
  if (after === '0') return { seq: oldest - 1, reset: false };
  const dot = after.lastIndexOf('.');
  const seq = Number(after.slice(dot + 1));
  const reachable = after.slice(0, dot) === epoch && seq <= head && seq >= oldest - 1;
  return reachable ? { seq, reset: false } : { seq: head, reset: true };
}

/** Throws VALIDATION_ERROR for text that is no cursor. */
export function parseCursor(text: string | undefined): string | undefined {
  const parsed = Cursor.optional().safeParse(text);
  if (!parsed.success)
    throw new AppError('VALIDATION_ERROR', parsed.error.issues[0]?.message ?? 'This is no cursor.', { details: { field: 'after' } });
  return parsed.data;
}
