/** Words that say nothing of where work is done. */
const empty = new Set(
  'the and for with that this from into when what which where who how not its are was were has have had can may must will should would could each every all any one two than then them they their there here also only but out over under after before does done add use used make made more most less same other own new set get test tests file files code src index'.split(
    ' ',
  ),
);

/** Words of text, paths and identifiers alike, without their endings: near enough for both sides of a comparison. */
export function wordsOf(text: string): string[] {
  const parts =
    text
      .replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, '$1 $2')
      .toLowerCase()
      .match(/\p{L}{3,}/gu) ?? [];
  return parts.filter((word) => !empty.has(word)).map(stem);
}

const stem = (word: string): string => {
  const short = word.replace(/(ations?|ingly|ings?|edly|ed|ies|es|s|ly|er|ers|or|ors)$/, '');
  return (short.length >= 3 ? short : word).replace(/(.)\1$/, '$1').replace(/e$/, '');
};
