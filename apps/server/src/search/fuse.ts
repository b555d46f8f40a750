/** An entry, and its place in the list by words and in that by meaning, counted from 1; 0: it is not in that one. */
export type Fused = { id: string; words: number; meaning: number };

/** So that the first places of one list do not outweigh agreement of both; the usual number. */
const DAMPING = 60;
const share = (place: number): number => (place > 0 ? 1 / (DAMPING + place) : 0);

/** Reciprocal rank fusion: places alone count, for the scores of two lists have nothing to do with each other. */
export const scoreOf = ({ words, meaning }: { words: number; meaning: number }): number => share(words) + share(meaning);

/** Both lists as one, best first. */
export function fuse(words: string[], meaning: string[]): Fused[] {
  const place = (list: string[], id: string) => list.indexOf(id) + 1;
  const all = [...new Set([...words, ...meaning])].map((id) => ({ id, words: place(words, id), meaning: place(meaning, id) }));
  return all.sort((a, b) => scoreOf(b) - scoreOf(a) || b.words - a.words || (a.id < b.id ? 1 : -1));
}

const BYTES = 18;

/** Small enough for a cursor. */
export const pack = (list: Fused[]): string =>
  Buffer.concat(
    list.map(({ id, words, meaning }) => Buffer.concat([Buffer.from(id.replaceAll('-', ''), 'hex'), Buffer.of(words, meaning)])),
  ).toString('base64url');

/** Undefined for what `pack` did not make. */
export function unpack(packed: string): Fused[] | undefined {
  const bytes = Buffer.from(packed, 'base64url');
  if (bytes.length === 0 || bytes.length % BYTES !== 0) return undefined;
  return Array.from({ length: bytes.length / BYTES }, (_, n) => {
    const at = n * BYTES;
    const id = bytes.toString('hex', at, at + 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    return { id, words: bytes[at + 16] ?? 0, meaning: bytes[at + 17] ?? 0 };
  });
}
