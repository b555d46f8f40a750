import type { z } from 'zod';
import type { DoneBody, Undeclared, Written } from '@nexus/contract';
import { ancestorsOf, type Claim, isListed, overlaps, parseClaim } from '@nexus/paths';
import { declaredSince, obstacles, rememberWritten } from '../claims/index.ts';
import type { Queryable } from '../engines/database/database.ts';
import type { Change } from '../ledger/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Rules } from '../projects/index.ts';
import type { FeatureRow } from './features.store.ts';

/** What a `done` tells of its writes, and what the project makes of undeclared ones. */
export type Actual = { written: Claim[] | undefined; more: boolean; explanation: string | null; refuses: boolean };
type Area = Pick<Claim, 'node' | 'kind'>;
type Held = Array<Claim & { holdId: string }>;

/** A caller's mistake, such as absolute names, which would make everything undeclared; the rest no claim can name. */
const mistakes: readonly string[] = ['PATH_EMPTY', 'PATH_ABSOLUTE', 'PATH_ESCAPES', 'PATH_RESOURCE'];

/** `derived` belongs to nobody, and `brief` is given back at each commit: neither is declared by a feature. */
export function actualOf({ writes, explanation }: Pick<z.output<typeof DoneBody>, 'writes' | 'explanation'>, own: Rules): Actual {
  const listed = [...own.brief, ...own.derived];
  const written = writes?.paths.flatMap((path, position): Claim[] => {
    const parsed = parseClaim({ path, kind: 'file' }, own);
    if (parsed.ok) return isListed(parsed.claim.node, listed) ? [] : [parsed.claim];
    if (!mistakes.includes(parsed.code)) return [];
    throw new AppError(parsed.code, parsed.message, { details: { field: `writes.paths[${position}]`, value: path } });
  });
  return {
    written: written && [...new Map(written.map((claim) => [claim.node, claim])).values()],
    more: writes?.more ?? false,
    explanation: explanation ?? null,
    refuses: own.undeclared === 'refuse',
  };
}

/** What was declared, where somebody told what was written: nothing is read for the others. */
export const readDeclared = async (tx: Queryable, projectId: string, slug: string, actual: Actual | undefined): Promise<Area[]> =>
  actual?.written && actual.written.length > 0 ? declaredSince(tx, projectId, slug) : [];

/** Under the lock, before the hold ends: keeps what was written, and answers what nobody had declared. Throws where the project refuses that. */
export async function account(
  tx: Queryable,
  at: Change,
  row: FeatureRow & { hold: NonNullable<FeatureRow['hold']> },
  held: Held,
  declared: Area[],
  { written, more, explanation, refuses }: Actual,
): Promise<Undeclared[]> {
  const isDeclared = declarations(declared);
  const surplus = (written ?? []).filter((path) => !isDeclared(path));
  const undeclared = await withHolders(tx, row, surplus);
  if (refuses && explanation === null && (!written || undeclared.length > 0)) throw refused(row.slug, written && undeclared);
  if (!written) return [];
  const isWritten = declarations(written);
  const told: Written = {
    count: written.length,
    undeclared: surplus.map(({ display }) => display),
    unwritten: more
      ? []
      : held
          .filter(
            (claim) =>
              claim.mode === 'write' && claim.kind !== 'resource' && !isWritten(claim) && !written.some((path) => overlaps(claim, path)),
          )
          .map(({ display }) => display),
    explanation,
  };
  const left = new Set(surplus);
  const paths = written.map((path) => ({ node: path.node, display: path.display, declared: !left.has(path) }));
  at.write(rememberWritten(tx, { id: row.hold.id, projectId: row.projectId }, told, paths));
  return undeclared;
}

/**
 * Whether a path is at, below or, as a submodule is, above one of these. By look-up, for it is asked under the lock for
 * each of a thousand paths; only the few patterns are compared.
 */
function declarations(areas: Area[]): (path: Area) => boolean {
  const nodes = new Set<string>();
  const above = new Set<string>();
  const globs = areas.filter(({ kind }) => kind === 'glob');
  for (const { node, kind } of areas) {
    if (kind === 'glob') continue;
    nodes.add(node);
    for (const ancestor of ancestorsOf(node)) above.add(ancestor);
  }
  return (path) =>
    nodes.has(path.node) ||
    ancestorsOf(path.node).some((node) => nodes.has(node)) ||
    (path.kind === 'file' && above.has(path.node)) ||
    globs.some((glob) => overlaps(glob, path));
}

async function withHolders(
  tx: Queryable,
  row: FeatureRow & { hold: NonNullable<FeatureRow['hold']> },
  surplus: Claim[],
): Promise<Undeclared[]> {
  const found = await obstacles(tx, row.projectId, surplus, row.hold.lineage);
  const holders = new Map(found.map(({ wanted, held }) => [wanted, held]));
  return surplus.map((path) => {
    const held = holders.get(path);
    return {
      path: path.display,
      heldBy: held
        ? {
            sessionId: held.hold.sessionId,
            engineerName: held.hold.engineerName,
            agent: held.hold.agent,
            featureSlug: held.hold.featureSlug,
            fence: held.hold.fence,
            mode: held.claim.mode,
          }
        : null,
    };
  });
}

/** `undeclared`: undefined where the caller told nothing. */
function refused(slug: string, undeclared: Undeclared[] | undefined): AppError {
  const explain = '`nexus feature done --explain "<why>"` says why it is right';
  if (undeclared === undefined)
    return new AppError(
      'UNDECLARED_WRITES',
      `This project takes no end of work that does not say what it wrote. Nothing was changed. Name it in \`writes\`, as \`nexus feature done ${slug}\` does in the worktree; or ${explain}.`,
      { details: { undeclared: [], told: false } },
    );
  const [first] = undeclared;
  const more = undeclared.length > 1 ? ` and ${undeclared.length - 1} more` : '';
  const held = undeclared.some(({ heldBy }) => heldBy !== null) ? ', ask for what is held (`nexus request <path>`)' : '';
  return new AppError(
    'UNDECLARED_WRITES',
    `${first?.path ?? ''}${more} was written and never declared. Nothing was changed. Claim it (\`nexus claims add <path>\`)${held}, or take the change back; or ${explain}.`,
    { details: { undeclared, told: true } },
  );
}
