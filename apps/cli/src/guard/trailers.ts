import type { Claim } from '@nexus/contract';
import { overlaps, parseClaim } from '@nexus/paths';
import { claimOf, type Guard } from './guard.ts';
import type { RunGit } from './repository.ts';

export const fenceTrailer = 'Nexus-Fence';
const featureTrailer = 'Nexus-Feature';

export type Hold = { fence: number; featureSlug: string | null };

/** The holds of this session, and of its subagents, under which these paths are being changed. */
export async function holdsOver({ client, projectId, family }: Guard, paths: string[]): Promise<Hold[]> {
  const [self, ...children] = await family();
  if (self === undefined) return [];
  const ids = new Set([self.id, ...children.map(({ id }) => id)]);
  const claims =
    children.length === 0
      ? await client.myClaims({ projectId }, { session: self.id })
      : (await client.listClaims({ projectId })).filter(({ sessionId }) => ids.has(sessionId));
  const changed = paths.flatMap(claimOf);
  const covers = (claim: Claim): boolean => {
    const parsed = parseClaim({ path: claim.filePath, kind: claim.kind });
    return claim.mode === 'write' && parsed.ok && changed.some((path) => overlaps(parsed.claim, path));
  };
  const byFence = new Map(claims.filter(covers).map(({ fence, featureSlug }) => [fence, { fence, featureSlug }]));
  return [...byFence.values()].sort((a, b) => a.fence - b.fence);
}

/** The message with one pair of trailers for each hold; what an earlier version of the commit said of these features goes. */
export async function withTrailers(git: RunGit, message: string, holds: Hold[]): Promise<string> {
  const before = pairsOf(await git(['interpret-trailers', '--parse', '--no-divider'], message));
  const slugs = new Set(holds.map(({ featureSlug }) => featureSlug));
  const fences = new Set(holds.map(({ fence }) => fence));
  const kept = before.filter(({ fence, featureSlug }) => !fences.has(fence) && !slugs.has(featureSlug));
  const wanted = [...kept, ...holds];
  if (JSON.stringify(before) === JSON.stringify(wanted)) return message;
  const args = wanted.flatMap(({ fence, featureSlug }) => [
    ...(featureSlug === null ? [] : ['--trailer', `${featureTrailer}: ${featureSlug}`]),
    ...['--trailer', `${fenceTrailer}: ${fence}`],
  ]);
  const bare = message.replace(new RegExp(`^(?:${featureTrailer}|${fenceTrailer}): .*\\n?`, 'gm'), '');
  return git(['interpret-trailers', '--no-divider', '--if-exists', 'add', ...args], bare);
}

function pairsOf(trailers: string): Hold[] {
  const holds: Hold[] = [];
  let featureSlug: string | null = null;
  for (const line of trailers.split('\n')) {
    const [, name, value = ''] = /^(Nexus-Feature|Nexus-Fence): (.*)$/.exec(line) ?? [];
    if (name === featureTrailer) featureSlug = value.trim();
    if (name !== fenceTrailer) continue;
    holds.push({ fence: Number(value), featureSlug });
    featureSlug = null;
  }
  return holds;
}

/** Whether the message says nothing yet, or will be folded into another one: then a trailer would do harm. */
export function takesTrailers(message: string, comment: string): boolean {
  // Below the scissors stands the diff that `commit -v` shows.
  const [written = ''] = message.split(/^\S -{10,} >8 -{10,}$/m);
  const lines = written.split('\n').filter((line) => !line.startsWith(comment) && line.trim() !== '');
  const [subject] = lines;
  return subject !== undefined && !/^(?:fixup|squash|amend)! /.test(subject);
}
