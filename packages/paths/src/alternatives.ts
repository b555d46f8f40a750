/** What one entry may stand for; every alternative is a claim of its own. */
export const maxAlternatives = 32;

/**
 * The plain patterns that an explicit glob stands for: each choice of its braces, nested ones too, and every class
 * widened to `?`, which blocks more and never less. What opens or closes nothing is an ordinary character.
 * Undefined when there are more than `maxAlternatives`.
 */
export function alternativesOf(pattern: string): string[] | undefined {
  const found: string[] = [];
  const open = [widenClasses(pattern)];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const braces = firstBraces(next);
    if (braces === undefined) found.push(next);
    else open.push(...braces.choices.map((choice) => braces.before + choice + braces.after).reverse());
    if (found.length + open.length > maxAlternatives) return undefined;
  }
  return [...new Set(found)];
}

/** `]` is a member where it comes first; `!` and `^` in front negate, which `?` takes in as well. */
const widenClasses = (pattern: string): string => pattern.replace(/\[[!^]?\][^\][/]*\]|\[[!^]?[^\][/]+\]/g, '?');

type Braces = { before: string; choices: string[]; after: string };

/** The first braces, from the left, that have a comma of their own. */
function firstBraces(text: string): Braces | undefined {
  for (let at = text.indexOf('{'); at !== -1; at = text.indexOf('{', at + 1)) {
    const choices = choicesAt(text, at);
    if (choices !== undefined) return choices;
  }
  return undefined;
}

function choicesAt(text: string, open: number): Braces | undefined {
  const choices: string[] = [];
  let depth = 0;
  let from = open + 1;
  for (let at = open; at < text.length; at += 1) {
    const char = text[at];
    if (char === '{') depth += 1;
    if (char === '}') depth -= 1;
    if ((char === ',' && depth === 1) || (char === '}' && depth === 0)) {
      choices.push(text.slice(from, at));
      from = at + 1;
    }
    if (depth === 0) return choices.length > 1 ? { before: text.slice(0, open), choices, after: text.slice(from) } : undefined;
  }
  return undefined;
}
