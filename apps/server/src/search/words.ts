/** What the pieces of identifiers and paths are: `createPick` is also create and Pick, `src/auth.ts` also src, auth and ts. */
export function piecesOf(text: string): string {
  const pieces = new Set<string>();
  for (const [token] of text.matchAll(/[\p{L}\p{N}]+(?:[_$./\\:@-]+[\p{L}\p{N}]+)*/gu)) {
    const parts = token.split(/[^\p{L}\p{N}]+|(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u);
    if (parts.length > 1) for (const part of parts) if (part) pieces.add(part);
  }
  return [...pieces].join(' ');
}

/** Words shorter than this are looked for as they are: too much is like them. */
const FORGIVING = 4;
/** Longer words may have two letters wrong. */
const VERY_FORGIVING = 7;

/** The words that may be misspelled: letters alone, each once, as the database folds them. */
export function spellingsIn(text: string): string[] {
  const found = text.toLowerCase().matchAll(/(?<![\p{L}\p{N}])\p{L}{4,40}(?![\p{L}\p{N}])/gu);
  return [...new Set([...found].map(([word]) => word))];
}

/** A word is stored with itself and all that it is without one letter. */
export const fragmentsOf = (word: string): string[] => [...new Set([word, ...without([...word])])];

/** It is looked for by those, and when it is long without two letters: so every single slip meets, and most double ones. */
export function fragmentsLookedFor(word: string): string[] {
  const letters = [...word];
  if (letters.length < FORGIVING) return [];
  const shorter = without(letters);
  const more = letters.length >= VERY_FORGIVING ? shorter.flatMap((each) => without([...each])) : [];
  return [...new Set([word, ...shorter, ...more])];
}

const without = (letters: string[]): string[] => letters.map((_, at) => letters.toSpliced(at, 1).join(''));

export type Spelling = { spelling: string; word: string; docs: number };

/** Of known spellings, those that `typed` is most likely a slip for; most used first. */
export function nearest(typed: string, known: Spelling[], limit: number): Spelling[] {
  const allowed = [...typed].length >= VERY_FORGIVING ? 2 : 1;
  const near = known
    .map((each) => ({ each, slips: slips(typed, each.spelling) }))
    .filter((one) => one.slips <= allowed)
    .sort((a, b) => a.slips - b.slips || b.each.docs - a.each.docs || (a.each.spelling < b.each.spelling ? -1 : 1));
  return near
    .filter((one) => one.slips === near[0]?.slips)
    .slice(0, limit)
    .map(({ each }) => each);
}

/** Letters changed, lost, added or swapped with their neighbour (optimal string alignment). */
export function slips(one: string, other: string): number {
  const [a, b] = [[...one], [...other]];
  let before: number[] = [];
  let last = b.map((_, at) => at);
  last.push(b.length);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] ?? 0) + 1);
      row.push(least);
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
