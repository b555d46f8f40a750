import type { Client } from '@nexus/client';
import type { HeldPaths, Heartbeat, OpenHold } from '@nexus/contract';
import { type Claim, covers, parseClaim } from '@nexus/paths';

type OwnClaim = Claim & { fence: number };

/** What one session holds, as the server last said it: so that an edit of it costs no call. */
export type Own = {
  /** Whether a write to this path is covered, by what is known and not doubted. */
  covers: (path: string) => boolean;
  holds: () => OpenHold[];
  paths: () => string[];
  pathsOf: (fence: number) => string[];
  /** When it was last read, in `now()`; 0: never, or in doubt since. */
  readAt: () => number;
  /** When it was last read or changed: what was said before says nothing about it. */
  knownAt: () => number;
  read: () => Promise<void>;
  /** The answer to a claim names all that its hold has now. */
  took: (held: HeldPaths) => void;
  /** The server calls these the session's, in another spelling or since the last reading. */
  also: (paths: string[]) => void;
  doubt: () => void;
};

/** Case always counts here: where the project takes two spellings for one path, the server says so at the first edit. */
const writeOf = (path: string): Claim | undefined => {
  const parsed = parseClaim({ path, mode: 'write' }, { pathCase: 'sensitive' });
  return parsed.ok ? parsed.claim : undefined;
};

type Needs = {
  client: () => Client;
  projectId: string;
  sessionId: () => string;
  now: () => number;
  onLost: (lost: Heartbeat['lost']) => void;
};

export function createOwn({ client, projectId, sessionId, now, onLost }: Needs): Own {
  let claims: OwnClaim[] = [];
  let holds: OpenHold[] = [];
  let readAt = 0;
  let tookAt = 0;
  let reading: Promise<void> | undefined;
  const spelled = new Set<string>();

  const read = async (): Promise<void> => {
    const [session, began] = [sessionId(), now()];
    const [mine, beat] = await Promise.all([
      client().myClaims({ projectId }, { session }),
      client().heartbeat({ projectId, sessionId: session }, { session }),
    ]);
    // What only waits to land is no work of this session any more.
    const working = mine.filter(({ landing }) => landing === undefined);
    claims = working.flatMap(({ filePath, mode, fence }) => claimOf(filePath, mode, fence));
    holds = beat.holds.length > 0 ? beat.holds : holdsOf(working);
    spelled.clear();
    readAt = began;
    onLost(beat.lost);
  };

  return {
    covers: (path) => {
      const wanted = writeOf(path);
      if (readAt === 0 || wanted === undefined) return false;
      return spelled.has(path) || claims.some((claim) => covers(claim, wanted));
    },
    holds: () => holds,
    paths: () => claims.map(({ display }) => display),
    pathsOf: (wanted) => claims.filter(({ fence }) => fence === wanted).map(({ display }) => display),
    readAt: () => readAt,
    knownAt: () => Math.max(readAt, tookAt),
    read: () =>
      (reading ??= read().finally(() => {
        reading = undefined;
      })),
    took: ({ fence, featureSlug, paths }) => {
      tookAt = now();
      claims = [...claims.filter((claim) => claim.fence !== fence), ...paths.flatMap((path) => claimOf(path, undefined, fence))];
      if (!holds.some((hold) => hold.fence === fence)) holds = [...holds, { fence, featureSlug }];
    },
    also: (paths) => paths.forEach((path) => spelled.add(path)),
    doubt: () => {
      readAt = 0;
    },
  };
}

function claimOf(path: string, mode: Claim['mode'] | undefined, fence: number): OwnClaim[] {
  const parsed = parseClaim({ path, mode }, { pathCase: 'sensitive' });
  return parsed.ok ? [{ ...parsed.claim, fence }] : [];
}

/** While the lease store is away, beats name no holds; the claims still do. */
const holdsOf = (claims: { fence: number; featureSlug: string | null }[]): OpenHold[] => [
  ...new Map(claims.map(({ fence, featureSlug }) => [fence, { fence, featureSlug }])).values(),
];
