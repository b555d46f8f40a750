import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CliError } from './errors.ts';

/** The file's JSON; undefined when there is no such file. A broken file is named in the error. */
export function readJson(path: string): unknown {
  const text = readText(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(
      'failure',
      'CONFIG_INVALID',
      `${path} is not valid JSON (${error instanceof Error ? error.message : String(error)}). Correct or remove it.`,
    );
  }
}

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Replaces the file at once, so that no reader meets half of it. `secret` files are the user's alone. */
export function writeJson(path: string, value: unknown, { secret = false } = {}): void {
  if (secret) ensurePrivateDir(dirname(path));
  else mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(value, undefined, 2)}\n`, secret ? { mode: 0o600 } : {});
  if (secret) chmodSync(temporary, 0o600);
  renameSync(temporary, path);
}

export function ensurePrivateDir(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  // It may have been there before, open to others.
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o700);
}

export const isMissing = (error: unknown): boolean => {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ENOENT' || code === 'ENOTDIR';
};
