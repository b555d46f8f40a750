import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { readText, writeJson, readJson } from './files.ts';

/**
 * Tells this machine from another one of the same engineer, where pids repeat. Made once and kept, so that a new
 * host name changes nothing; hashed, because host names carry people's names.
 */
export function machineId(stateDir: string): string {
  const path = join(stateDir, 'machine.json');
  const kept = readJson(path);
  if (typeof kept === 'object' && kept !== null && 'id' in kept && typeof kept.id === 'string') return kept.id;
  const seed = readText('/etc/machine-id')?.trim() || randomBytes(16).toString('hex');
  const id = shortHash(`${hostname()}\n${seed}`);
  try {
    writeJson(path, { id });
  } catch {
    // A read-only home: the id is the same next time as long as /etc/machine-id is.
  }
  return id;
}

/** A pid and start time come again after a reboot. Empty where the system does not tell. */
export const bootId = (): string => readText('/proc/sys/kernel/random/boot_id')?.trim() ?? '';

export const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
