/** Levels below the repository: '' is 0, '/src/a.ts' is 2. */
export function nodeDepth(node: string): number {
  let depth = 0;
  for (const char of node) if (char === '/') depth += 1;
  return depth;
}

/** From '' down to the parent, not the node itself: a conflict check reads these and the node, nothing else. */
export function ancestorsOf(node: string): string[] {
  const ancestors: string[] = [];
  for (let at = node.indexOf('/'); at !== -1; at = node.indexOf('/', at + 1)) ancestors.push(node.slice(0, at));
  return ancestors;
}

/** Whether `node` is `ancestor` or lies below it. By whole segments: '/ab' is not within '/a'. */
export const isWithin = (node: string, ancestor: string): boolean => node === ancestor || node.startsWith(`${ancestor}/`);

/** Exactly the nodes strictly below satisfy lo <= n < hi in byte order, for '0' is the byte after '/'. */
export const subtreeRange = (node: string): { lo: string; hi: string } => ({ lo: `${node}/`, hi: `${node}0` });

/**
 * Byte order of UTF-8, as Postgres `collate "C"` and Redis' lexicographic ranges have it: negative, 0 or positive.
 * `<` and a bare sort() go by UTF-16 units, which put U+10000 and above before U+E000..U+FFFF.
 */
export function compareNodes(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at += 1) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) return byCodePoint(left) - byCodePoint(right);
  }
  return a.length - b.length;
}

/** Lifts surrogates over the rest of the basic plane, where the code points they spell belong. */
const byCodePoint = (unit: number) => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);
