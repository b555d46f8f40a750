import { renameSync, statSync } from 'node:fs';

const limitBytes = 1024 * 1024;

/** Keeps at most this log and the one before it. */
export function rotateLog(path: string): void {
  try {
    if (statSync(path).size > limitBytes) renameSync(path, `${path}.1`);
  } catch {
    // There is none yet.
  }
}
