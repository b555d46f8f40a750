import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Worktree } from '../git.ts';
import type { Actor } from './actor.ts';
import type { ProjectPolicy } from '@nexus/contract';
import { claim } from './guard.ts';
import { holderName, listed } from './say.ts';

/** An edit that was let through while the server was away. */
type Line = { path: string; at: string; session: string };

/** Longer ago than any session is of interest. */
const keptMs = 7 * 24 * 3600_000;

const journalPath = ({ gitDir }: Worktree): string => join(gitDir, 'nexus', 'journal.jsonl');

export function writeJournal(worktree: Worktree, session: string, paths: string[], now: number): void {
  const path = journalPath(worktree);
  const lines = paths.map((one): Line => ({ path: one, at: new Date(now).toISOString(), session }));
  try {
    mkdirSync(dirname(path), { recursive: true });
    appendFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''), { mode: 0o600 });
  } catch {
    // A read-only checkout has no edits to remember either.
  }
}

/** After the server is back: claims what this session edited meanwhile, and tells once what others hold of it. */
export async function settleJournal(
  actor: Actor,
  worktree: Worktree,
  policy: () => Promise<ProjectPolicy>,
  now: number,
): Promise<string | undefined> {
  if (!existsSync(journalPath(worktree))) return undefined;
  const lines = readJournal(worktree).filter(({ at }) => now - Date.parse(at) < keptMs);
  const own = lines.filter(({ session }) => session === actor.agentSessionId);
  const paths = [...new Set(own.map(({ path }) => path))].slice(0, 500);
  if (paths.length === 0) return undefined;
  const { client, project, session } = actor;
  const check = await client.checkClaims({ projectId: project.projectId, body: { paths } }, { session: session.id });
  const conflicts = check.paths.flatMap((one) => one.conflicts.slice(0, 1));
  const free = check.paths.flatMap(({ state }, index) => (state === 'free' ? (paths[index] ?? []) : []));
  const known = await policy();
  if (free.length > 0 && known.edits === 'claim') await claim(actor, free, known);
  replaceJournal(
    worktree,
    lines.filter((line) => !own.includes(line)),
  );
  if (conflicts.length === 0) return undefined;
  const held = conflicts.map((conflict) => `${conflict.filePath} (${holderName(conflict.claimedBy)})`);
  return `While the server was away this session edited paths that others hold: ${listed(held, 8)}.`;
}

function readJournal(worktree: Worktree): Line[] {
  return readFileSync(journalPath(worktree), 'utf8')
    .split('\n')
    .flatMap((text) => {
      try {
        const { path, at, session } = JSON.parse(text) as Partial<Line>;
        return path !== undefined && at !== undefined && session !== undefined ? [{ path, at, session }] : [];
      } catch {
        return [];
      }
    });
}

const replaceJournal = (worktree: Worktree, lines: Line[]): void =>
  writeFileSync(journalPath(worktree), lines.map((line) => `${JSON.stringify(line)}\n`).join(''), { mode: 0o600 });
