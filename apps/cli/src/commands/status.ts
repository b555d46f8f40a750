import type { ProjectStatus } from '@nexus/contract';
import type { Command } from 'commander';
import type { Output } from '../output.ts';
import { pathsOf as changedIn, stateOf } from '../patch/found.ts';
import { clean, fromNow, shortId, table } from '../text.ts';
import { examples, type Runner } from './command.ts';

export function addStatusCommand(program: Command, run: Runner): void {
  examples(
    program.command('status').description('Who works on what: active features, held paths, live sessions, and who waits for what'),
    'nexus status',
    'nexus status --json | jq .claims',
  ).action(
    run(async ({ project, sessions, out }) => {
      const { id: projectId, client } = await project();
      const own = await (await sessions()).knownId();
      const status = await client.status({ projectId });
      out.data(status, () => describe(status, own, out));
    }),
  );
}

function describe(
  { activeFeatures, interrupted, sessions, claims, waiting, patches: offered, unattended, edits }: ProjectStatus,
  own: string | undefined,
  out: Output,
): string {
  // A server of before patches tells none.
  const patches = offered ?? [];
  const mark = (id: string | undefined): string => (id !== undefined && id === own ? '*' : '');
  const pathsOf = (sessionId: string): number => claims.filter((claim) => claim.sessionId === sessionId).length;
  const sections = [
    section(
      out,
      `Active features (${activeFeatures.length})`,
      ['SLUG', 'HOLDER', 'SESSION', 'FENCE', 'SINCE', 'PATHS', 'TITLE'],
      activeFeatures.map(({ slug, heldBy, fence, claimedAt, touches, title }) => [
        slug,
        heldBy ? `${heldBy.engineerName}/${heldBy.agent}` : '-',
        heldBy ? `${heldBy.parked ? 'parked' : shortId(heldBy.sessionId)}${mark(heldBy.sessionId)}` : '-',
        String(fence ?? '-'),
        claimedAt ? fromNow(claimedAt) : '-',
        String(touches.length),
        title,
      ]),
    ),
    section(
      out,
      `Interrupted (${interrupted.length}): \`nexus feature resume <slug>\` takes over`,
      ['SLUG', 'LANE', 'TITLE'],
      interrupted.map(({ slug, lane, title }) => [slug, lane, title]),
    ),
    section(
      out,
      `Waiting (${waiting.length}), first in line first`,
      ['WANTS', 'WHO', 'SESSION', 'SINCE', 'HELD BY', 'BEHIND'],
      waiting.map(({ featureSlug, paths, engineerName, agent, sessionId, since, conflicts, heldBy, behind }) => [
        featureSlug ?? paths.join(' '),
        `${engineerName}/${agent}`,
        `${shortId(sessionId)}${mark(sessionId)}`,
        fromNow(since),
        [...new Set([...conflicts.map(({ claimedBy }) => claimedBy.engineerName), ...(heldBy ? [heldBy.engineerName] : [])])].join(', ') ||
          '-',
        behind.map((other) => other.engineerName).join(', ') || '-',
      ]),
    ),
    section(
      out,
      `Patches (${patches.length}): \`nexus patch show <patch>\``,
      ['PATCH', 'PATHS', 'FROM', 'SINCE', 'STATE'],
      patches.map((patch) => [
        shortId(patch.id),
        changedIn(patch),
        `${patch.author.engineerName}/${patch.author.agent}${mark(patch.author.sessionId)}`,
        fromNow(patch.createdAt),
        stateOf(patch),
      ]),
    ),
    section(
      out,
      `Sessions (${sessions.length})`,
      ['SESSION', 'ENGINEER', 'AGENT', 'STATUS', 'LAST BEAT', 'HOLDS'],
      sessions.map((session) => [
        `${shortId(session.id)}${mark(session.id)}`,
        session.engineer.name,
        session.agent,
        session.status,
        fromNow(session.lastHeartbeat),
        `${pathsOf(session.id)} paths`,
      ]),
    ),
    section(
      out,
      'Done, and held until it lands',
      ['SLUG', 'HOLDER', 'COMMIT', 'SINCE', 'PATHS'],
      claims
        .filter(({ landing, fence }, at) => landing && claims.findIndex((claim) => claim.fence === fence) === at)
        .map(({ featureSlug, engineerName, landing, claimedAt, fence }) => [
          featureSlug ?? '-',
          engineerName,
          landing?.commit?.slice(0, 10) ?? '-',
          fromNow(claimedAt),
          String(claims.filter((claim) => claim.fence === fence).length),
        ]),
    ),
    section(
      out,
      'Unattended: uncommitted, and claimed by nobody',
      ['WORKTREE', 'SEEN BY', 'PATHS'],
      unattended.map(({ worktree, engineerName, paths, more }) => [
        worktree,
        engineerName,
        `${paths.slice(0, 3).join(', ')}${paths.length > 3 || more ? ` and ${more ? 'more' : `${paths.length - 3} more`}` : ''}`,
      ]),
    ),
    describeEdits(edits),
  ].filter((lines) => lines !== '');
  if (sections.length === 0) return 'All quiet: no active features and no live sessions.';
  return [...sections, ...(own === undefined ? [] : [out.paint('dim', clean(`* this session`))])].join('\n\n');
}

const section = (out: Output, title: string, headings: string[], rows: string[][]): string =>
  rows.length === 0 ? '' : `${out.paint('bold', title)}\n${table(headings, rows, out.columns)}`;

/** How often the guard stood in the way: much of it says that features are cut along the wrong lines. */
const describeEdits = ({ tried, denied }: ProjectStatus['edits']): string =>
  tried === 0 ? '' : `Edits of these sessions: ${tried}, of them denied ${denied} (${((100 * denied) / tried).toFixed(1)} per 100)`;
