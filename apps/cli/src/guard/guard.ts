import type { Client } from '@nexus/client';
import { defaultPolicy, MAX_CLAIMS_PER_HOLD, ProjectPolicy, type Session, type Verification } from '@nexus/contract';
import { type Claim, isListed, parseClaim } from '@nexus/paths';
import { join } from 'node:path';
import { z } from 'zod';
import { type Context, once } from '../context.ts';
import { readJson, writeJson } from '../files.ts';

/** One waits at a commit; with no answer by then, the server counts as away. Milliseconds. */
const patience = 5000;

export type Guard = {
  client: Client;
  projectId: string;
  policy: () => Promise<ProjectPolicy>;
  /** Splits the paths; what no claim can name is unclaimed. A fence is verified beside them. */
  verify: (paths: string[], fence?: number) => Promise<Verification>;
  /** The acting session, then its subagents, for their git commands act as their parent; empty where none is live. */
  family: () => Promise<Session[]>;
};

export async function openGuard(context: Context): Promise<Guard> {
  const { id: projectId, client: patient } = await context.project();
  const client = patient.with({ retries: 0, timeout: patience });
  const sessions = await context.sessions();
  const family = once(async () => {
    const active = await client.activeSessions({ projectId });
    const acting = sessions.acting();
    const self = active.find(({ session }) => session.id === acting || `${session.agent}:${session.agentSessionId}` === acting)?.session;
    const among = (parents: Set<string>): Session[] =>
      active.map(({ session }) => session).filter(({ parentId }) => parentId !== null && parents.has(parentId));
    const found = self === undefined ? [] : [self];
    for (let next = found; next.length > 0;) {
      next = among(new Set(next.map(({ id }) => id)));
      found.push(...next);
    }
    return found;
  });
  const policy = once(async () => {
    const read = (await client.getProject({ projectId })).policy;
    await rememberPolicy(context, projectId, read);
    return read;
  });

  const verify: Guard['verify'] = async (paths, fence) => {
    const byDisplay = new Map(paths.flatMap((path) => claimOf(path).map(({ display }) => [display, path])));
    const asked = (display: string): string => byDisplay.get(display) ?? display;
    const displays = [...byDisplay.keys()];
    const session = (await family())[0]?.id;
    const answers: Verification[] = [];
    for (let from = 0; from < displays.length; from += MAX_CLAIMS_PER_HOLD) {
      const part = displays.slice(from, from + MAX_CLAIMS_PER_HOLD).map((path) => ({ path, kind: 'file' as const }));
      const body = { paths: part, ...(fence === undefined ? {} : { fence }) };
      answers.push(await client.verifyClaims({ projectId, body }, { session }));
    }
    const theirs = answers.flatMap((answer) => answer.theirs).map((conflict) => ({ ...conflict, filePath: asked(conflict.filePath) }));
    const relatives = new Set((await family()).map(({ id }) => id));
    const foreign = theirs.filter(({ claimedBy }) => !relatives.has(claimedBy.sessionId));
    const related = theirs.map(({ filePath }) => filePath).filter((path) => !foreign.some(({ filePath }) => filePath === path));
    return {
      ours: [...new Set([...answers.flatMap((answer) => answer.ours).map(asked), ...related])],
      theirs: foreign,
      unclaimed: [...answers.flatMap((answer) => answer.unclaimed).map(asked), ...paths.filter((path) => claimOf(path).length === 0)],
      fence: answers[0]?.fence ?? null,
    };
  };
  return { client, projectId, policy, verify, family };
}

/** By the repository or the environment; a user's default project says nothing about this repository. */
export async function isLinked(context: Context): Promise<boolean> {
  return (await context.settings()).link !== undefined || Boolean(context.io.env['NEXUS_PROJECT']);
}

/** As a claim on this one file, whatever its name looks like; none when no claim can name it. */
export function claimOf(path: string): Claim[] {
  const parsed = parseClaim({ path: `./${path}`, kind: 'file' });
  return parsed.ok ? [parsed.claim] : [];
}

/** Whether the path is on one of the project's lists (`brief`, `derived`). */
export const isOnList = (path: string, list: string[]): boolean => claimOf(path).some(({ node }) => isListed(node, list));

const Remembered = z.object({ projectId: z.string(), policy: ProjectPolicy });

/** For when the server is away: a strict project stays strict. */
async function rememberPolicy(context: Context, projectId: string, policy: ProjectPolicy): Promise<void> {
  const path = await policyPath(context);
  try {
    if (path !== undefined) writeJson(path, { projectId, policy });
  } catch {
    // A read-only checkout forgets it.
  }
}

export async function rememberedPolicy(context: Context): Promise<ProjectPolicy> {
  const path = await policyPath(context);
  try {
    return path === undefined ? defaultPolicy : Remembered.parse(readJson(path)).policy;
  } catch {
    return defaultPolicy;
  }
}

async function policyPath(context: Context): Promise<string | undefined> {
  const worktree = await context.worktree();
  return worktree && join(worktree.commonDir, 'nexus', 'policy.json');
}
