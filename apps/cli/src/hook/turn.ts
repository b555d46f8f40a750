import type { Claim, Feature, ProjectStatus } from '@nexus/contract';
import type { z } from 'zod';
import { keptWip } from '../handover.ts';
import { clean, fromNow, shortId } from '../text.ts';
import type { Actor } from './actor.ts';
import { holderName, listed } from './say.ts';

type Status = z.infer<typeof ProjectStatus>;

/** At a prompt: what changed for this agent since it was last told anything. Undefined when nothing did. */
export async function turnContext(actor: Actor): Promise<string | undefined> {
  actor.turn += 1;
  // A prompt comes seldom: it is when the cheap knowledge of the edits is checked.
  await actor.own.read();
  const lines = actor.news.splice(0);
  if (actor.denied.size > 0) lines.push(...deniedLines(actor, await actor.client.status({ projectId: actor.project.projectId })));
  return lines.length > 0 ? `Nexus: ${lines.join('\n')}` : undefined;
}

/** Of what it wanted and did not get: what is free now, and what somebody else took. */
function deniedLines(actor: Actor, { claims }: Status): string[] {
  const [free, moved]: [string[], string[]] = [[], []];
  for (const [path, { holder, turn }] of actor.denied) {
    const covering = claims.find((claim) => touches(claim, path));
    if (covering === undefined || covering.sessionId === actor.session.id) {
      if (covering === undefined) free.push(path);
      actor.denied.delete(path);
    } else if (covering.sessionId !== holder) {
      moved.push(`${path} (${holderName(covering)})`);
      actor.denied.set(path, { holder: covering.sessionId, turn });
    }
  }
  return [
    ...(free.length > 0 ? [`${listed(free, 5)} ${free.length === 1 ? 'is' : 'are'} free now.`] : []),
    ...(moved.length > 0 ? [`Held by somebody else now: ${listed(moved, 5)}.`] : []),
  ];
}

const touches = ({ filePath, mode }: Claim, path: string): boolean => {
  const held = filePath.replace(/\/$/, '').toLowerCase();
  const wanted = path.replace(/\/$/, '').toLowerCase();
  return mode === 'write' && (held === '.' || held === wanted || wanted.startsWith(`${held}/`) || held.startsWith(`${wanted}/`));
};

/** What a new or resumed conversation should know, in a few lines. */
export function startContext(actor: Actor, status: Status, resumed: string[]): string {
  const { session } = actor;
  const own = status.claims.filter(({ sessionId }) => sessionId === session.id);
  const features = status.activeFeatures.filter(({ heldBy }) => heldBy?.sessionId === session.id);
  const rest = (session.resumable ?? []).filter((slug) => !resumed.includes(slug));
  const begun = status.interrupted.filter(({ slug }) => !rest.includes(slug));
  return [
    `Nexus coordinates the agents in this repository. This is session ${shortId(session.id)} (${clean(session.agent)}).`,
    ...(resumed.length > 0 ? [`It resumed ${listed(resumed, 5)}, left by the conversation before.`] : []),
    features.length + own.length === 0
      ? 'It holds nothing yet.'
      : `It holds ${[...features.map(({ slug, fence }) => `feature ${clean(slug)} (fence ${fence ?? '-'})`), ...pathsOf(own)].join('; ')}.`,
    ...othersLines(status.claims.filter(({ sessionId }) => sessionId !== session.id)),
    ...(rest.length > 0 ? [`Left by the session before: ${listed(rest, 5)}; \`nexus feature resume <slug>\` takes it up.`] : []),
    ...(begun.length > 0
      ? ['Interrupted features, to take over with `nexus feature resume <slug>`:', ...begun.slice(0, 4).map(begunLine)]
      : []),
    ...(begun.length > 4 ? [`  and ${begun.length - 4} more: \`nexus feature available\``] : []),
    'Edits of free paths are claimed as they happen, edits of paths that others hold are refused. Commands: `nexus feature pick-next`, `nexus feature done <slug>`, `nexus claims check <path>`, `nexus request <path>` (asks its holder), `nexus status`.',
  ].join('\n');
}

/** Who left it, and how far they said they were: quoted, for it is another's text. */
function begunLine({ slug, left, checkpoint }: Feature): string {
  const who = left ? ` left by ${clean(left.engineerName)} (${clean(left.agent)}) ${fromNow(left.at)}` : '';
  const notes = checkpoint?.notes ? `; noted: "${short(clean(checkpoint.notes))}"` : '';
  const kept = keptWip({ left, checkpoint }) ? '; its uncommitted work was kept' : '';
  return `  ${clean(slug)}${who}${notes}${kept}`;
}

const short = (text: string): string => (text.length <= 160 ? text : `${text.slice(0, 160).toWellFormed()}…`);

const pathsOf = (claims: Claim[]): string[] =>
  claims.length > 0
    ? [
        `paths ${listed(
          claims.map(({ filePath }) => filePath),
          6,
        )}`,
      ]
    : [];

/** One line for each holder; the rest are counted. */
function othersLines(claims: Claim[]): string[] {
  if (claims.length === 0) return ['Nobody else holds anything.'];
  // Node 20 has no `Map.groupBy`.
  const bySession = [...new Set(claims.map(({ sessionId }) => sessionId))].map((id) => claims.filter(({ sessionId }) => sessionId === id));
  const lines = bySession.slice(0, 8).flatMap((group) => {
    const [first] = group;
    return first === undefined
      ? []
      : [
          `  ${holderName(first)}: ${listed(
            group.map(({ filePath }) => filePath),
            3,
          )}`,
        ];
  });
  const more = bySession.length - lines.length;
  return [
    `Held by others (${claims.length} ${claims.length === 1 ? 'path' : 'paths'}):`,
    ...lines,
    ...(more > 0 ? [`  and ${more} more sessions: \`nexus status\``] : []),
  ];
}
