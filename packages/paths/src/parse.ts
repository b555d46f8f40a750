import { alternativesOf } from './alternatives.ts';
import type { Claim, ClaimInput, PathCase } from './claim.ts';
import { foldPattern, foldSegment, isGitDir, visibleOf } from './fold.ts';
import { baseOf, isGlob } from './glob.ts';
import { resourceDisplay, resourceNode } from './resource.ts';
import { maxPathBytes, maxPatternBytes, maxSegmentBytes, maxSegments, refuse, type PathErrorCode, type Refusal } from './refusals.ts';

export type ParsedClaim = { ok: true; claim: Claim } | Refusal;
export type ParsedClaims = { ok: true; claims: Claim[] } | Refusal;
type Options = { pathCase?: PathCase | undefined };

/** Bounds the work on hostile input; a legal path, even decomposed, has less than half of it. */
const maxRawLength = 4 * maxPathBytes;

const utf8 = new TextEncoder();
const bytes = (text: string) => utf8.encode(text).length;
/** What the first segment may not look like, bare: `/`, `X:`, `~` (a server has no home or drive to resolve against). */
const absolute = /^(?:[/~]|[A-Za-z]:)/;
const prefixed = /^(?:ro|res):/;

/** Reads one entry of a list of claims: one claim, or one for each alternative of an explicit glob. Never throws. */
export function parseClaims(input: string | ClaimInput, options: Options = {}): ParsedClaims {
  if (typeof input !== 'string' && input.kind === 'glob') {
    const pattern = input.path.replaceAll('\\', '/');
    const alternatives = pattern.length > maxRawLength ? [pattern] : alternativesOf(pattern);
    if (alternatives === undefined) return refuse('PATH_GLOB_TOO_COMPLEX', pattern);
    const parsed = alternatives.map((path) => parseClaim({ path, mode: input.mode }, options));
    return parsed.find((one) => !one.ok) ?? { ok: true, claims: parsed.flatMap((one) => (one.ok ? one.claim : [])) };
  }
  const parsed = parseClaim(input, options);
  return parsed.ok ? { ok: true, claims: [parsed.claim] } : parsed;
}

/**
 * Reads one claim from a touches string (`src/auth/`, `ro:docs/**`, `src/*.ts`, `.`) or an object; braces and brackets are
 * ordinary characters. Never throws; a refusal carries a code and what to do instead. Whatever the input says twice, the
 * stronger reading holds: tree and glob over file, and a stated mode over the `ro:` prefix. `./` lets a name start with `~`,
 * `ro:` and the like; `res:port/5432` is no path but a resource.
 */
export function parseClaim(input: string | ClaimInput, options: Options = {}): ParsedClaim {
  const asked: ClaimInput = typeof input === 'string' ? { path: input } : input;
  const given = asked.path;
  const bare = given.replace(/^(?:ro:)+/, '');
  const path = bare.replaceAll('\\', '/');

  const fault = textFault(path);
  if (fault) return refuse(fault, given);
  const mode = asked.mode ?? (bare === given ? 'write' : 'read');
  if (path.startsWith('res:') || asked.kind === 'resource') {
    const node = asked.kind !== 'tree' && asked.kind !== 'glob' ? resourceNode(path) : undefined;
    return node === undefined
      ? refuse('PATH_RESOURCE', given)
      : { ok: true, claim: { kind: 'resource', mode, node, display: resourceDisplay(path) } };
  }
  const resolved = resolve(path);
  if (!resolved) return refuse('PATH_ESCAPES', given);
  const trunk = withoutTreeTail(resolved);
  const isWild = trunk.some(isGlob);
  const isTree = asked.kind === 'tree' || trunk.length < resolved.length || trunk.length === 0 || /(?:^|\/)\.{0,2}$/.test(path);
  const isBelow = asked.kind === 'tree' || /\/\.?$/.test(path);
  const segments = !isWild ? trunk : isBelow && resolved.at(-1) !== '**' ? [...resolved, '**'] : resolved;

  const pathCase = options.pathCase ?? 'insensitive';
  const node = segments.map((segment) => `/${isGlob(segment) ? foldPattern(segment, pathCase) : foldSegment(segment, pathCase)}`).join('');
  const invalid = segmentsFault(segments) ?? patternFault(node);
  if (invalid) return refuse(invalid, given);
  return {
    ok: true,
    claim: {
      kind: isWild ? 'glob' : isTree ? 'tree' : 'file',
      mode,
      node,
      display: displayOf(segments, !isWild && isTree),
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
  return absolute.test(path) ? 'PATH_ABSOLUTE' : undefined;
}

/** Lexical: undefined when `..` climbs over the root, or over a wildcard, whose parent is anybody's guess. */
function resolve(path: string): string[] | undefined {
  const kept: string[] = [];
  let wild = false;
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') {
      const segment = isGlob(part) ? cleanPattern(part) : part.normalize('NFC');
      if (segment !== '**' || kept.at(-1) !== '**') kept.push(segment);
      wild ||= isGlob(part);
    } else if (wild || kept.pop() === undefined) return undefined;
  }
  return kept;
}

/** Invisible marks go at once, or two stars with one between them would be no `**` here and one in another spelling. */
function cleanPattern(part: string): string {
  const visible = visibleOf(part);
  return visible === '**' ? visible : visible.replace(/\*+/g, '*');
}

/** Without a trailing `**`, or run of them also with a last `*`: below a literal head they mean the directory. */
function withoutTreeTail(resolved: string[]): string[] {
  let end = resolved.length;
  for (;;) {
    if (resolved[end - 1] === '**') end -= 1;
    else if (resolved[end - 1] === '*' && resolved[end - 2] === '**') end -= 2;
    else return resolved.slice(0, end);
  }
}

/** Only what follows the base is ever walked, against any other pattern. */
const patternFault = (node: string): PathErrorCode | undefined =>
  isGlob(node) && bytes(node.slice(baseOf(node).length)) > maxPatternBytes ? 'PATH_GLOB_TOO_COMPLEX' : undefined;

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
