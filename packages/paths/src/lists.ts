import type { Claim } from './claim.ts';
import { parseClaim } from './parse.ts';

/**
 * Whether a path is on a project's list: `bun.lock` names it anywhere, `dist/` a directory anywhere and all below it,
 * `docs/api/` that directory, `docs/x.md` that path; `*` stands for any run of characters within one name.
 */
export function isListed(node: Claim['node'], list: readonly string[]): boolean {
  const segments = node.split('/').slice(1);
  return list.some((entry) => {
    const isDirectory = entry.endsWith('/');
    const wanted = entry
      .split('/')
      .filter((segment) => segment !== '' && segment !== '.')
      .map(pattern);
    if (wanted.length === 0 || segments.length < wanted.length) return false;
    const anywhere = wanted.length === 1;
    const last = anywhere ? segments.length - 1 : 0;
    for (let from = 0; from <= last; from += 1) {
      // The `**` of a claimed pattern is no one name, so nothing is said about it.
      const fits = wanted.every((segment, index) => segments[from + index] !== '**' && segment.test(segments[from + index] ?? ''));
      if (fits && (isDirectory || from + wanted.length === segments.length)) return true;
    }
    return false;
  });
}

/** The list's names are folded as paths are, so that `Bun.lock` is `bun.lock` where case does not count. */
const pattern = (segment: string): RegExp => {
  const literal = segment.split('*').map((part) => fold(part).replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${literal.join('.*')}$`, 'su');
};

const fold = (text: string): string => {
  const parsed = text === '' ? undefined : parseClaim({ path: text });
  return parsed?.ok ? parsed.claim.node.slice(1) : text;
};
