import { describe, expect, test } from 'bun:test';
import { DFA, JS, NFA, isDisjointWith } from 'refa';
import type { Claim } from './claim.ts';
import { nodeDepth } from './nodes.ts';
import { compatible, overlaps, reduceClaims } from './overlap.ts';
import { parseClaim } from './parse.ts';

function claimOf(touch: string): Claim {
  const parsed = parseClaim(touch);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.claim;
}

describe('overlap against exact automata', () => {
  /** The paths a claim covers, as a regular language over /, a and b. */
  function automatonOf({ node, kind }: Claim): DFA {
    const source = kind === 'file' ? node : `${node}(?:/[ab]+)*`;
    const parser = JS.Parser.fromLiteral({ source: source.replaceAll('/', '\\/'), flags: '' });
    const { expression, maxCharacter } = parser.parse();
    return DFA.fromFA(NFA.fromRegex(expression, { maxCharacter }));
  }
  const below = (nodes: string[]) => nodes.flatMap((node) => ['a', 'b', 'ab'].map((name) => `${node}/${name}`));
  const one = below(['']);
  const nodes = ['', ...one, ...below(one), ...below(below(one))];
  const all = nodes
    .flatMap((node): Claim[] => [
      { node, kind: 'tree', mode: 'write', display: node },
      { node, kind: 'file', mode: 'write', display: node },
    ])
    .filter(({ node, kind }) => node !== '' || kind === 'tree')
    .map((claim) => ({ claim, automaton: automatonOf(claim) }));

  test('every true overlap is found; only a file above something is called one without being one', () => {
    const unsound: string[] = [];
    const unexplained: string[] = [];
    let found = 0;
    for (const { claim: a, automaton: left } of all)
      for (const { claim: b, automaton: right } of all) {
        const meet = !isDisjointWith(left, right);
        if (meet) found += 1;
        const said = overlaps(a, b);
        const [upper, lower] = nodeDepth(a.node) <= nodeDepth(b.node) ? [a, b] : [b, a];
        const fileAbove = upper.kind === 'file' && lower.node.startsWith(`${upper.node}/`);
        if (meet && !said) unsound.push(`${a.kind} ${a.node} / ${b.kind} ${b.node}`);
        if (said && !meet && !fileAbove) unexplained.push(`${a.kind} ${a.node} / ${b.kind} ${b.node}`);
        expect(overlaps(b, a)).toBe(said);
      }
    expect({ unsound, unexplained }).toEqual({ unsound: [], unexplained: [] });
    expect(found).toBeGreaterThan(500);
  }, 30_000);
});

test('a name that only begins like a directory is not inside it', () => {
  expect(overlaps(claimOf('src/'), claimOf('src2/a.ts'))).toBe(false);
  expect(overlaps(claimOf('src/'), claimOf('SRC\\a.ts'))).toBe(true);
  expect(overlaps(claimOf('.'), claimOf('a'))).toBe(true);
});

test('only two readers share', () => {
  expect(compatible('read', 'read')).toBe(true);
  expect(compatible('read', 'write')).toBe(false);
  expect(compatible('write', 'read')).toBe(false);
  expect(compatible('write', 'write')).toBe(false);
});

describe('reducing the claims of one request', () => {
  const reduced = (...touches: string[]) => reduceClaims(touches.map(claimOf));

  test('one claim a node stays, the strongest, where the node was first named', () => {
    expect(reduced('ro:src', 'b', 'SRC', 'ro:b')).toEqual([{ ...claimOf('src') }, claimOf('b')]);
  });

  test('a tree brings its own spelling, and strength adds up over mode and kind', () => {
    expect(reduced('src', 'ro:Src/')).toEqual([claimOf('Src/')]);
    expect(reduced('ro:Src/', 'src')).toEqual([claimOf('Src/')]);
    expect(reduced('ro:src', 'ro:Src/')).toEqual([claimOf('ro:Src/')]);
  });

  test('claims inside one another all stay', () => {
    expect(reduced('src/', 'src/a.ts', 'ro:.')).toHaveLength(3);
  });

  test('reducing twice is reducing once', () => {
    const once = reduced('a', 'ro:a/', 'B', 'ro:b', './c');
    expect(reduceClaims(once)).toEqual(once);
  });
});
