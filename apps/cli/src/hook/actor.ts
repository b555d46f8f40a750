import type { Client } from '@nexus/client';
import type { Heartbeat, Message, OpenHold, PatchNews, Request, Session } from '@nexus/contract';
import type { Registration } from '../keeper/protocol.ts';
import { clean, shortId } from '../text.ts';
import type { Own } from './own.ts';
import type { Project } from './projects.ts';

/** One agent, or subagent, in one project: its session and what the hooks remember about it. */
export type Actor = {
  project: Project;
  session: Session;
  agentSessionId: string;
  parent: Actor | undefined;
  client: Client;
  own: Own;
  pid: number | undefined;
  /** Counted by prompts. */
  turn: number;
  /** Paths that were denied, and when last: their fate is of interest until they are free. */
  denied: Map<string, { turn: number; holder: string }>;
  /** What it hears once: of requests, messages and patches, and of a `commit path` to pull first. */
  told: Set<string>;
  /** To be told with the next answer that the agent reads. */
  news: string[];
  committed: boolean;
  hinted: boolean;
  /** `/clear` ended the conversation, not the work. */
  cleared: boolean;
};

/** What the keeper does for the handler. In a hook without a keeper nothing is kept. */
export type Keeping = {
  /** False when nobody beats for it. */
  keep: (registration: Registration) => boolean;
  forget: (sessionId: string) => void;
  /** Undefined: not kept, or no longer. */
  kept: (sessionId: string) =>
    | {
        leaseValid: boolean;
        beatAt: number;
        holds: OpenHold[];
        requests: Request[];
        messages: Message[];
        patches: PatchNews[];
        takeLost: () => Heartbeat['lost'];
      }
    | undefined;
  count: (sessionId: string, edits: number, denials: number) => void;
};

/** A hold that somebody else ended. */
export function lostNews({ featureSlug, fence, reason }: Heartbeat['lost'][number]): string {
  const what = featureSlug === null ? 'Its ad hoc claims' : `The hold of feature ${clean(featureSlug)}`;
  const how = { forced: 'released by force', handed_over: 'handed over', lost: 'lost' }[reason];
  return `${what} (fence ${fence}) ended without this session: ${how}.`;
}

/** A new session in the place of one that was over. */
export function replaced(before: string, { id, resumable = [] }: Session): string {
  const left =
    resumable.length > 0 ? ` It left ${resumable.map(clean).join(', ')}: \`nexus feature resume <slug>\` takes it up again.` : '';
  return `Session ${shortId(before)} was over, and its holds with it; this is session ${shortId(id)} now.${left}`;
}
