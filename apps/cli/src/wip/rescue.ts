import type { Claim, Feature, LeftBehind } from '@nexus/contract';
import { isKept, snapshot } from './snapshot.ts';
import type { Workplace } from './keep.ts';

type Around = { features: Array<Pick<Feature, 'left'>>; claims: Claim[]; own: string };

/**
 * Before a taker edits: keeps what sessions that are gone left uncommitted in this worktree, where no keeper has done
 * so. What live sessions hold meanwhile is theirs.
 */
export async function rescue(at: Workplace, { features, claims, own }: Around): Promise<void> {
  const gone = features.flatMap(({ left }) => (left && isHere(at, left) && left.sessionId !== own ? [left] : []));
  if (gone.length === 0) return;
  const except = claims.filter(({ sessionId, mode }) => sessionId !== own && mode === 'write').map(({ filePath }) => filePath);
  for (const { sessionId, paths } of gone)
    if (!(await isKept(at.toplevel, sessionId))) await snapshot({ ...at, sessionId, paths, except, as: 'left' });
}

const isHere = ({ toplevel, machine }: Workplace, left: LeftBehind): boolean => left.machine === machine && left.worktree === toplevel;
