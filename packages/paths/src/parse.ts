import type { Claim, ClaimInput, PathCase } from './claim.ts';
import { foldSegment, isGitDir } from './fold.ts';
import { maxPathBytes, maxSegmentBytes, maxSegments, refuse, type PathErrorCode, type Refusal } from './refusals.ts';

export type ParsedClaim = { ok: true; claim: Claim } | Refusal;

/** Bounds the work on hostile input; a legal path, even decomposed, has less than half of it. */
const maxRawLength = 4 * maxPathBytes;

const utf8 = new TextEncoder();
const bytes = (text: string) => utf8.encode(text).length;
const isWild = (segment: string) => /[*?]/.test(segment);
/** What the first segment may not look like, bare: `/`, `X:`, `~` (a server has no home or drive to resolve against). */
const absolute = /^(?:[/~]|[A-Za-z]:)/;
const prefixed = /^(?:ro|res):/;

/**
 * Reads one claim from a touches string (`src/auth/`, `ro:docs/**`, `.`) or an object. Never throws; a refusal carries
 * a code and what to do instead. Whatever the input says twice, the stronger reading holds: tree over file, and
 * a stated mode over the `ro:` prefix. `./` lets a name start with `~`, `ro:` and the like.
 */
export function parseClaim(input: string | ClaimInput, options: { pathCase?: PathCase | undefined } = {}): ParsedClaim {
  const asked: ClaimInput = typeof input === 'string' ? { path: input } : input;
  const given = asked.path;
  const bare = given.replace(/^(?:ro:)+/, '');
  const path = bare.replaceAll('\\', '/');

  const fault = textFault(path);
  if (fault) return refuse(fault, given);
  const resolved = resolve(path);
  if (!resolved) return refuse('PATH_ESCAPES', given);
  const { segments, wasTree } = withoutTreeTail(resolved);
  if (asked.kind === 'glob' || segments.some(isWild)) return refuse('PATH_GLOB_UNSUPPORTED', given);
  const invalid = segmentsFault(segments);
  if (invalid) return refuse(invalid, given);

  const pathCase = options.pathCase ?? 'insensitive';
  const isTree = asked.kind === 'tree' || wasTree || segments.length === 0 || /(?:^|\/)\.{0,2}$/.test(path);
  return {
    ok: true,
    claim: {
      kind: isTree ? 'tree' : 'file',
      mode: asked.mode ?? (bare === given ? 'write' : 'read'),
      node: segments.map((segment) => `/${foldSegment(segment, pathCase)}`).join(''),
      display: displayOf(segments, isTree),
    },
  };
}

/** The canonical touches string: `src/a.ts`, `src/auth/`, `ro:docs/`, `.`. Parsing it gives the same claim back. */
export const formatClaim = (claim: Pick<Claim, 'mode' | 'display'>): string =>
  claim.mode === 'read' ? `ro:${claim.display}` : claim.display;

function textFault(path: string): PathErrorCode | undefined {
  if (path === '') return 'PATH_EMPTY';
  if (path.length > maxRawLength) return 'PATH_TOO_LONG';
  if (/\p{Surrogate}/u.test(path)) return 'PATH_ENCODING';
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'PATH_CONTROL';
  if (path.startsWith('res:')) return 'PATH_RESOURCE_UNSUPPORTED';
  return absolute.test(path) ? 'PATH_ABSOLUTE' : undefined;
}

/** Lexical: undefined when `..` climbs over the root, or over a wildcard, whose parent is anybody's guess. */
function resolve(path: string): string[] | undefined {
  const kept: string[] = [];
  let wild = false;
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') {
      kept.push(part.normalize('NFC'));
      wild ||= isWild(part);
    } else if (wild || kept.pop() === undefined) return undefined;
  }
  return kept;
}

/** A trailing `**` or run of them, also with a last `*`, means the directory and everything below. */
function withoutTreeTail(resolved: string[]): { segments: string[]; wasTree: boolean } {
  let end = resolved.length;
  for (;;) {
    if (resolved[end - 1] === '**') end -= 1;
    else if (resolved[end - 1] === '*' && resolved[end - 2] === '**') end -= 2;
    else return { segments: resolved.slice(0, end), wasTree: end < resolved.length };
  }
}

/** git's directory is refused in every project, for git itself folds case there on every platform. */
function segmentsFault(segments: string[]): PathErrorCode | undefined {
  for (const segment of segments) {
    const folded = foldSegment(segment, 'insensitive');
    if (folded === '') return 'PATH_EMPTY_SEGMENT';
    if (isGitDir(folded)) return 'PATH_GITDIR';
  }
  const tooLong =
    segments.length > maxSegments ||
    segments.some((segment) => bytes(segment) > maxSegmentBytes) ||
    bytes(segments.join('/')) > maxPathBytes;
  return tooLong ? 'PATH_TOO_LONG' : undefined;
}

/** Keeps a `./` that the name needs to be read back as itself. */
function displayOf(segments: string[], isTree: boolean): string {
  if (segments.length === 0) return '.';
  const path = segments.join('/') + (isTree ? '/' : '');
  return absolute.test(path) || prefixed.test(path) ? `./${path}` : path;
}
