/**
 * Patterns over folded nodes: `*` any run of characters within a segment, `?` one character, a segment `**` any number of
 * segments, none included. They match names that begin with a dot, and never what lies below a match.
 */
export const isGlob = (node: string): boolean => /[*?]/.test(node);

/** What every path that a glob matches lies below: the segments before its first wildcard. A node without one is its own base. */
export function baseOf(node: string): string {
  const wild = node.search(/[*?]/);
  return wild === -1 ? node : node.slice(0, node.lastIndexOf('/', wild));
}

/** Whether some path is matched by both; a node without wildcards matches itself. Exact. */
export const globsMeet = (a: string, b: string): boolean => runsMeet(a.split('/'), b.split('/'), isManySegments, segmentsMeet);

const isManySegments = (segment: string): boolean => segment === '**';

function segmentsMeet(a: string, b: string): boolean {
  if (a === b) return true;
  return (isGlob(a) || isGlob(b)) && runsMeet(characters(a), characters(b), isManyCharacters, charactersMeet);
}

const isManyCharacters = (char: string): boolean => char === '*';
const charactersMeet = (a: string, b: string): boolean => a === b || a === '?' || b === '?';
/** `?` takes a whole code point; without surrogates a string's units are those already. */
const characters = (text: string): ArrayLike<string> => (/[\ud800-\udfff]/.test(text) ? [...text] : text);

/**
 * Whether one sequence fits both patterns, whose `isMany` elements each stand for any number of elements: a walk through
 * the product of both, position by position, of which two rows are kept. Time |a| · |b|.
 */
function runsMeet(
  a: ArrayLike<string>,
  b: ArrayLike<string>,
  isMany: (element: string) => boolean,
  meet: (a: string, b: string) => boolean,
): boolean {
  let reached = new Uint8Array(b.length + 1);
  reached[0] = 1;
  for (let i = 0; i <= a.length; i += 1) {
    const next = new Uint8Array(b.length + 1);
    const left = a[i];
    const many = left !== undefined && isMany(left);
    for (let j = 0; j <= b.length; j += 1) {
      if (reached[j] === 0) continue;
      const right = b[j];
      if (many) next[j] = 1;
      if (right !== undefined && (many || isMany(right))) reached[j + 1] = 1;
      if (left === undefined || many || right === undefined) continue;
      if (isMany(right)) next[j] = 1;
      else if (meet(left, right)) next[j + 1] = 1;
    }
    if (i < a.length) reached = next;
  }
  return reached[b.length] === 1;
}
