import type { PathCase } from './claim.ts';

/** The code points HFS+ ignores in names: git's own list (utf8.c, next_hfs_char), behind CVE-2014-9390. */
const ignoredByHfs = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

/** Nearly every name; the rest below costs five times as much. */
const plain = /^[ -~]*$/;

/**
 * One segment's key: equal for all spellings that some file system takes for one name. A wrong "different" corrupts
 * work, a wrong "same" only blocks two files that no macOS or Windows checkout could hold. Idempotent.
 * '' when nothing visible is left.
 */
export function foldSegment(segment: string, pathCase: PathCase): string {
  if (plain.test(segment)) return withoutTrail(pathCase === 'insensitive' ? segment.toLowerCase() : segment);
  const visible = visibleOf(segment);
  return withoutTrail(pathCase === 'insensitive' ? foldCase(visible) : visible);
}

/**
 * The same for a segment with wildcards, which are matched against keys: `?` is one character of a key. A sigma's form
 * depends on the letters after it, which a wildcard may hide, so it becomes `?` as well.
 */
export function foldPattern(segment: string, pathCase: PathCase): string {
  if (segment === '**') return segment;
  const folded = foldSegment(segment, pathCase);
  return (pathCase === 'insensitive' ? folded.replace(/[σς]/g, '?') : folded).replace(/\*+/g, '*');
}

/** In NFC and without what HFS+ ignores; NFC again, for that may have parted a letter from its accent. */
export const visibleOf = (segment: string): string => segment.normalize('NFC').replace(ignoredByHfs, '').normalize('NFC');

/** Upper first would leave ẞ as ß, while ß becomes ss; NFC last, because upper case takes letters like ǰ apart. */
const foldCase = (text: string) => text.toLowerCase().toUpperCase().toLowerCase().normalize('NFC');

/** NTFS drops trailing dots and spaces. A loop, for /[. ]+$/ is quadratic on a long run of dots. */
function withoutTrail(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === '.' || text[end - 1] === ' ')) end -= 1;
  return text.slice(0, end);
}

/** Whether a folded segment is git's directory: `.git`, or a short name that NTFS may give to it (`git~1`). */
export const isGitDir = (folded: string) => folded === '.git' || /^git~[0-9]+$/.test(folded);
