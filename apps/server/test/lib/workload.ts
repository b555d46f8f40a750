import { type Client, NexusError } from '@nexus/client';
import { readyFeature } from '../harness.ts';

/** What an agent asked for, and what it heard. `unknown`: no answer, so it may have happened or not. */
export type Entry = {
  agent: number;
  session: string;
  verb: 'pick' | 'release' | 'done';
  slug: string | null;
  fence: number | null;
  outcome: 'ok' | 'refused' | 'unknown';
  code?: string;
};

export type Workload = Awaited<ReturnType<typeof startWorkload>>;

type Options = {
  /** One for each server that agents may talk to; they take turns. */
  clients: Client[];
  projectId: string;
  agents: number;
  /** Milliseconds between beats of an agent. */
  beatMs: number;
  /** Milliseconds that an agent works on a feature, and waits when it finds none. */
  thinkMs?: number;
};

/** In the lane `now`, the only one that the agents pick from: features of which each stands in the way of its neighbours: at most half of them can be held at once. */
export async function overlappingFeatures(client: Client, projectId: string, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const slug = `feature-${i}`;
    await readyFeature(client, projectId, slug, [`shared/${i}/`, `shared/${(i + 1) % count}/file.ts`, `own/${i}.ts`]);
    await client.updateFeature({ projectId, slug, body: { lane: 'now' } });
  }
}

/**
 * Agents that pick the next free feature, work, and release it, with a beat beside. Each is one session for as long as that
 * lives, says every call again until it hears an answer (with its key: a repeated call is the same call), and writes down
 * what it heard.
 */
export function startWorkload({ clients, projectId, agents, beatMs, thinkMs = 30 }: Options) {
  const history: Entry[] = [];
  const sessions = new Set<string>();
  /** Answers that no outage excuses. */
  const bugs: NexusError[] = [];
  /** Sessions that beat all the time and were told that they are over. */
  const lost: string[] = [];
  let stopped = false;
  let pace = thinkMs;

  const pause = (ms: number) => Bun.sleep(ms * (0.5 + Math.random()));
  const note = (error: unknown) => {
    if (error instanceof NexusError && error.status === 500) bugs.push(error);
  };

  /** Until there is an answer, or the workload has ended. */
  async function insist<T>(call: () => Promise<T>): Promise<T | NexusError | undefined> {
    do {
      try {
        return await call();
      } catch (error) {
        note(error);
        if (error instanceof NexusError && error.status < 500 && error.code !== 'REQUEST_IN_PROGRESS') return error;
        await pause(100);
      }
    } while (!stopped);
    return undefined;
  }

  async function agent(number: number, client: Client) {
    const agentSessionId = crypto.randomUUID();
    const opened = await insist(() => client.openSession({ projectId, body: { agent: 'claude', agentSessionId, keeper: true } }));
    if (opened === undefined || opened instanceof NexusError) return;
    const session = opened.id;
    sessions.add(session);
    const me = client.with({ session, timeout: 10_000 });
    let over = false;
    // Until its last call is answered: a call may outlast a lease, and it is no dead session that waits.
    let finished = false;
    const beats = beat(me, session, () => finished || over);

    const said = async (
      verb: Entry['verb'],
      slug: string | null,
      fence: number | null,
      call: () => Promise<{ slug: string; fence: number | null }>,
    ) => {
      const answer = await insist(call);
      const refusal = answer instanceof NexusError ? answer : undefined;
      const heard = answer instanceof NexusError ? undefined : answer;
      const outcome = heard ? 'ok' : refusal ? 'refused' : 'unknown';
      history.push({
        agent: number,
        session,
        verb,
        slug: heard?.slug ?? slug,
        fence: heard?.fence ?? fence,
        outcome,
        ...(refusal ? { code: refusal.code } : {}),
      });
      if (refusal?.code === 'SESSION_LOST') {
        over = true;
        lost.push(session);
      }
      return heard;
    };

    while (!stopped && !over) {
      const key = crypto.randomUUID();
      const picked = await said('pick', null, null, () => me.pickNext({ projectId, body: { lane: 'now' } }, { idempotencyKey: key }));
      await pause(pace);
      if (!picked) continue;
      const { slug, fence } = picked;
      const again = crypto.randomUUID();
      await said('release', slug, fence, () =>
        me.releaseFeature({ projectId, slug, body: { fence: fence ?? undefined } }, { idempotencyKey: again }),
      );
    }
    finished = true;
    await beats;
  }

  async function beat(me: Client, session: string, ended: () => boolean) {
    const beater = me.with({ retries: 0, timeout: 3000 });
    while (!ended()) {
      await beater.heartbeat({ projectId, sessionId: session }).catch((error: unknown) => {
        note(error);
        if (error instanceof NexusError && error.code === 'SESSION_LOST') lost.push(session);
      });
      await Bun.sleep(beatMs);
    }
  }

  const running = Promise.all(
    Array.from({ length: agents }, (_, number) => agent(number, clients[number % clients.length] ?? (clients[0] as Client))),
  );
  return {
    history,
    sessions,
    bugs,
    lost,
    acknowledged: () => history.filter(({ outcome }) => outcome === 'ok').length,
    slower: (ms: number) => {
      pace = ms;
    },
    async stop() {
      stopped = true;
      await running;
    },
  };
}
