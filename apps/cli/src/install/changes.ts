import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { readText } from '../files.ts';
import { unifiedDiff } from './diff.ts';

/** A file as it is and as it shall be; undefined is "no such file". `executable` for hooks. */
export type Change = { path: string; before: string | undefined; after: string | undefined; executable?: boolean };

export const isChange = ({ before, after }: Change): boolean => before !== after;

/** What `--dry-run` prints. */
export const diffOf = (changes: Change[]): string =>
  changes
    .filter(isChange)
    .map(({ path, before, after }) => unifiedDiff(path, before, after))
    .join('');

/** Puts the file in place at once, through a symlink, with the mode that it had. */
export function apply({ path: named, after, executable }: Change): void {
  const path = target(named);
  if (after === undefined) return rmSync(path, { force: true });
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  const mode = statSync(path, { throwIfNoEntry: false })?.mode;
  writeFileSync(temporary, after);
  if (mode !== undefined) chmodSync(temporary, mode & 0o7777);
  else if (executable) chmodSync(temporary, 0o755);
  renameSync(temporary, path);
}

/** People keep their settings as symlinks into a repository of dotfiles. */
function target(path: string): string {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return path;
  return existsSync(path) ? realpathSync(path) : readlinkSync(path);
}

/** Named so that it is surely ours, and can go when the file is as it was. */
const backupOf = (path: string): string => `${path}.nexus.bak`;

/** Keeps the file as it was before the first change of ours. */
export function backUp({ path, before }: Change): void {
  if (before !== undefined && readText(backupOf(path)) === undefined) writeFileSync(backupOf(path), before);
}

export const readBackup = (path: string): string | undefined => readText(backupOf(path));
export const dropBackup = (path: string): void => rmSync(backupOf(path), { force: true });

export function removeIfEmpty(dir: string): void {
  try {
    rmdirSync(dir);
  } catch {
    // Something of others is in it.
  }
}
