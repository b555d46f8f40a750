import type { Client } from '@nexus/client';
import type { Checkpoint } from '@nexus/contract';
import { type Snapshot, snapshot } from './snapshot.ts';
import { plumb } from './plumbing.ts';

/** The checkout that a session works in. */
export type Workplace = { toplevel: string; gitDir: string; machine: string };

type Work = {
  client: Client;
  projectId: string;
  sessionId: string;
  at: Workplace;
  type: 'auto_periodic' | 'crash_recovery';
  /** The session is over, or about to be. */
  left: boolean;
};

/** Keeps what a session does on its features: what is uncommitted under its claims here, and a checkpoint that names it at the server. */
export async function keepWork({ client, projectId, sessionId, at, type, left }: Work): Promise<void> {
  const claims = (await client.myClaims({ projectId }, { session: sessionId })).filter(({ mode }) => mode === 'write');
  const paths = claims.map(({ filePath }) => filePath);
  const wip = await snapshot({ ...at, sessionId, paths, as: left ? 'left' : 'saved' });
  const features = new Set(claims.flatMap(({ featureId }) => featureId ?? []));
  if (features.size === 0) return;
  const context = await workContext(at, wip);
  for (const featureId of features) await client.saveCheckpoint({ projectId, body: { sessionId, featureId, type, context } });
}

/** What a checkpoint tells of a worktree. */
export async function workContext({ toplevel, machine }: Workplace, wip: Snapshot | undefined): Promise<Checkpoint['context']> {
  const [branch, commit, stat] = await Promise.all([
    plumb(toplevel, ['symbolic-ref', '--quiet', '--short', 'HEAD']),
    plumb(toplevel, ['rev-parse', '--verify', '--quiet', 'HEAD']),
    plumb(toplevel, wip?.base ? ['diff', '--shortstat', wip.base, wip.commit] : ['diff', '--shortstat', 'HEAD']),
  ]);
  return {
    gitBranch: branch ?? null,
    gitCommit: commit ?? null,
    dirty: wip !== undefined || (stat ?? '') !== '',
    diffStat: stat?.trim() ?? '',
    worktree: toplevel,
    machine,
    ...(wip ? { wip: { ref: wip.ref, commit: wip.commit, files: fitting(wip.files) } } : {}),
  };
}

/** A context has 32 KB; the commit names them all. */
function fitting(files: string[]): string[] {
  let left = 16_000;
  return files.filter(({ length }) => (left -= length + 4) > 0);
}
