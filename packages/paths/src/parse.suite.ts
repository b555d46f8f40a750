import fc from 'fast-check';
import type { PathCase } from './claim.ts';
import { isGlob } from './glob.ts';
import { formatClaim, parseClaim } from './parse.ts';
import { pathErrorCodes } from './refusals.ts';
import { type SuiteOutcome, type SuiteRun, tryOut } from './testing/outcome.ts';

const alphabet = [
  'a B ß ẞ Σ ς İ ı \u212a ǰ e\u0301 \u0301 \u0345 ᾳ \u{10400} \ud800 \udc00 \u{1f600} \u{1f468}\u200d\u{1f469}',
  '\u200d \u200c \ufeff \u202e . .. ... / / // \\ ./ ../ * ** ? : ~ \u0000 .git git~1 ro: res: C: [ {',
]
  .join(' ')
  .split(' ')
  .concat(' ');
const parts = (from: string[], maxLength: number) => fc.array(fc.constantFrom(...from), { maxLength });
// Two thirds of the runs come from letters that make legal paths and patterns, or most strings would be refused at the first rule.
const legal = alphabet.filter((part) => !/[\p{Cc}\p{Surrogate}]|\.\.|^res:/u.test(part));
const plain = legal.filter((part) => !/[*?]/.test(part));
export const anyPath = fc.oneof(parts(alphabet, 9), parts(legal, 8), parts(plain, 7)).map((all) => all.join(''));

/** Any string is refused, or has a clean key that what is shown and stored leads back to. */
export function normaliserSuite(run: SuiteRun): SuiteOutcome & { accepted: { paths: number; patterns: number } } {
  const accepted = { paths: 0, patterns: 0 };
  const outcome = tryOut<[string, PathCase]>(
    'normaliser',
    run,
    [anyPath, fc.constantFrom<PathCase>('insensitive', 'sensitive')],
    (path, pathCase) => {
      const parsed = parseClaim(path, { pathCase });
      if (!parsed.ok) return pathErrorCodes.includes(parsed.code) ? undefined : `refused as ${parsed.code}`;
      if (climbsOut(path)) return 'a path that leaves the repository was accepted';
      const { claim } = parsed;
      accepted[claim.kind === 'glob' ? 'patterns' : 'paths'] += 1;
      if ((claim.kind === 'glob') !== isGlob(claim.node)) return `a ${claim.kind} of the key ${claim.node}`;
      if ((claim.kind === 'resource') !== claim.node.startsWith('res:')) return `a ${claim.kind} of the key ${claim.node}`;
      if (claim.kind !== 'resource' && claim.node !== '' && !claim.node.startsWith('/')) return `the key ${claim.node}`;
      const key = claim.node.split('/').slice(1).find(isUnclean);
      if (key !== undefined) return `a segment ${JSON.stringify(key)}`;
      for (const again of [claim.display, formatClaim(claim)]) {
        const back = parseClaim(again, { pathCase });
        if (!back.ok || back.claim.node !== claim.node) return `shown as ${again}, which is another path`;
      }
      const stored = parseClaim(formatClaim(claim), { pathCase });
      return Bun.deepEquals(stored, parsed, true) ? undefined : 'stored as another claim';
    },
  );
  return { ...outcome, accepted };
}

/** Counted and nothing more: at some point there are more steps up than down. */
function climbsOut(path: string): boolean {
  let depth = 0;
  const steps = path.replace(/^(?:ro:)+/, '').split(/[/\\]/);
  return steps.some((step) => step !== '' && step !== '.' && (depth += step === '..' ? -1 : 1) < 0);
}

const isUnclean = (key: string): boolean => key === '' || key === '.git' || /[. ]$|[\\\p{Cc}]|\*{3}|[^/]\*\*|\*\*[^/]/u.test(key);
