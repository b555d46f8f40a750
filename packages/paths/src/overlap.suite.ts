import fc from 'fast-check';
import { DFA, isDisjointWith, JS, NFA } from 'refa';
import type { Claim } from './claim.ts';
import { baseOf, isGlob } from './glob.ts';
import { isWithin } from './nodes.ts';
import { covers, overlaps } from './overlap.ts';
import { type SuiteOutcome, type SuiteRun, tryOut } from './testing/outcome.ts';

type Area = Pick<Claim, 'node' | 'kind'>;

const letter = fc.constantFrom('a', 'b', '😀');
const literal = fc.string({ unit: letter, minLength: 1, maxLength: 2 });
const wild = fc
  .string({ unit: fc.oneof(letter, fc.constantFrom('*', '?')), minLength: 1, maxLength: 4 })
  .map((segment) => segment.replace(/\*+/g, '*'));
const many = fc.constant('**');
const nodeOf = (segments: string[]) => segments.map((segment) => `/${segment}`).join('');
const literalNode = fc.array(literal, { maxLength: 4 }).map(nodeOf);
const globNode = fc
  .array(fc.oneof({ weight: 2, arbitrary: literal }, { weight: 3, arbitrary: wild }, { weight: 2, arbitrary: many }), {
    minLength: 1,
    maxLength: 4,
  })
  .map(nodeOf);

const area: fc.Arbitrary<Area> = fc.oneof(
  { weight: 3, arbitrary: globNode.map((node) => ({ node, kind: isGlob(node) ? ('glob' as const) : ('file' as const) })) },
  { weight: 1, arbitrary: literalNode.map((node) => ({ node, kind: node === '' ? ('tree' as const) : ('file' as const) })) },
  { weight: 1, arbitrary: literalNode.map((node) => ({ node, kind: 'tree' as const })) },
);

/** Two names, everywhere or on one of two machines; a file may have the same name. */
const resource: fc.Arbitrary<Area> = fc
  .tuple(fc.constantFrom('a', 'a:b'), fc.constantFrom('', '/@a', '/@b'))
  .map(([name, machine]) => ({ node: `res:${name}${machine}`, kind: 'resource' }));
const anything = fc.oneof({ weight: 9, arbitrary: area }, { weight: 1, arbitrary: resource });

/** Files, trees, globs and resources as they are written, many of which overlap. */
export const anyTouch: fc.Arbitrary<string> = anything.map(({ node, kind }) => {
  if (kind === 'resource') return node.replace('/@', '@').replace('a:b', 'a/b');
  return kind === 'tree' ? `${node}/`.slice(1) || '.' : node.slice(1);
});

/** The paths that an area covers, as a regular language over /, a, b and 😀; of a resource the machines that it is on. */
function automatonOf({ node, kind }: Area): NFA {
  if (kind === 'resource') return languageOf(node.includes('@') ? node.replace('/', '') : `${node}@[ab]`);
  const segments = node
    .split('/')
    .slice(1)
    .map((segment) => {
      if (segment === '**') return '(?:\\/[ab😀]+)*';
      if (segment === '*') return '\\/[ab😀]+';
      return `\\/${segment.replaceAll('?', '[ab😀]').replaceAll('*', '[ab😀]*')}`;
    });
  return languageOf(segments.join('') + (kind === 'tree' ? '(?:\\/[ab😀]+)*' : ''));
}

function languageOf(source: string): NFA {
  const { expression, maxCharacter } = JS.Parser.fromLiteral({ source, flags: 'u' }).parse();
  return NFA.fromRegex(expression, { maxCharacter });
}

/** Overlap and cover against the languages themselves: never unsound, and too careful only where a file lies above something. */
export function overlapSuite(run: SuiteRun): SuiteOutcome & { overlapping: number; careful: number; covering: number } {
  const seen = { overlapping: 0, careful: 0, covering: 0 };
  const outcome = tryOut<[Area, Area]>('overlap', run, [anything, anything], (a, b) => {
    const [left, right] = [automatonOf(a), automatonOf(b)];
    const meet = !isDisjointWith(left, right);
    const said = overlaps(a, b);
    if (meet) seen.overlapping += 1;
    if (said !== overlaps(b, a)) return 'the answer depends on the order';
    if (meet && !said) return 'unsound: they overlap';
    if (said && !meet) {
      if (!isFileAbove(a, b) && !isFileAbove(b, a)) return 'they do not overlap, and no file lies above anything';
      seen.careful += 1;
    }
    if (!covers({ ...a, mode: 'write' }, { ...b, mode: 'write' })) return undefined;
    seen.covering += 1;
    return isWithinLanguage(right, left) ? undefined : 'unsound: the first does not cover the second';
  });
  return { ...outcome, ...seen };
}

const isFileAbove = (file: Area, other: Area): boolean => file.kind === 'file' && isWithin(baseOf(other.node), file.node);

function isWithinLanguage(inner: NFA, outer: NFA): boolean {
  const outside = DFA.fromFA(outer);
  outside.complement();
  return isDisjointWith(inner, outside);
}
