import { maxAlternatives } from './alternatives.ts';
import { maxResourceParts } from './resource.ts';

/** Every reason to refuse a claim's path. All of them are the caller's to mend (HTTP 400). */
export const pathErrorCodes = [
  'PATH_EMPTY',
  'PATH_ENCODING',
  'PATH_CONTROL',
  'PATH_ABSOLUTE',
  'PATH_ESCAPES',
  'PATH_GITDIR',
  'PATH_EMPTY_SEGMENT',
  'PATH_TOO_LONG',
  'PATH_GLOB_TOO_COMPLEX',
  'PATH_RESOURCE',
] as const;

export type PathErrorCode = (typeof pathErrorCodes)[number];

export type Refusal = { ok: false; code: PathErrorCode; message: string };

/** git's own depth is unbounded; 64 keeps a conflict check, which reads one entry a level, short. */
export const maxSegments = 64;
/** NAME_MAX of Linux and macOS: a longer name exists in no checkout. */
export const maxSegmentBytes = 255;
/** PATH_MAX of macOS, the smallest of the common ones; folded it stays well under a Postgres index entry (2,704). */
export const maxPathBytes = 1024;
/** Telling whether two patterns meet takes time by the product of these: about a millisecond for the worst pair. */
export const maxPatternBytes = 256;

const messages: Record<PathErrorCode, (path: string) => string> = {
  PATH_EMPTY: () => 'The path is empty. Name a file or directory from the repository root, or "." for the whole repository.',
  PATH_ENCODING: (path) => `${path} is not valid Unicode. Send the path as UTF-8, without half of a surrogate pair.`,
  PATH_CONTROL: (path) => `${path} contains a control character. Name the path without newlines, tabs or other controls.`,
  PATH_ABSOLUTE: (path) =>
    `${path} is absolute. Name it from the repository root, as in "src/a.ts"; put "./" before a name that really starts like this.`,
  PATH_ESCAPES: (path) => `${path} leaves the repository, or climbs over a wildcard. Name the path from the repository root, without "..".`,
  PATH_GITDIR: (path) => `${path} lies in git's own directory, which nobody claims. Name the files of the working tree instead.`,
  PATH_EMPTY_SEGMENT: (path) =>
    `${path} has a segment of dots, spaces or invisible characters only. Remove it, or spell the directory's name.`,
  PATH_TOO_LONG: (path) =>
    `${path} is too long: at most ${maxSegments} segments, ${maxSegmentBytes} bytes each, ${maxPathBytes} bytes in all. Claim a directory above it.`,
  PATH_GLOB_TOO_COMPLEX: (path) =>
    `${path} is too much of a pattern: at most ${maxAlternatives} alternatives, and ${maxPatternBytes} bytes from its first wildcard's segment on. Claim the directory, as in "src/", or split it.`,
  PATH_RESOURCE: (path) =>
    `${path} is no resource's name: at most ${maxResourceParts} parts of letters, digits, dots, dashes and underscores, without a pattern. Name it as in "res:port/5432"; put "./" before a file whose name starts with "res:".`,
};

/** An answer with a sentence that says what to do instead; the path is quoted, cut to 120 characters. */
export function refuse(code: PathErrorCode, path: string): Refusal {
  const shown = path.length > 120 ? `${path.slice(0, 120)}…` : path;
  return { ok: false, code, message: messages[code](JSON.stringify(shown)) };
}
