import { type Client, NexusError } from '@nexus/client';

export type Keepalive = ReturnType<typeof keepalive>;

/** What a keeper does: beats for sessions until told to forget them, whatever the server answers, or does not. */
export function keepalive({ client, everyMs }: { client: Client; everyMs: number }) {
  const sessions = new Set<string>();
  const over = new Set<string>();
  const refusals: NexusError[] = [];
  const beater = client.with({ retries: 0, timeout: 2000 });
  let degraded = 0;
  let stopped = false;

  async function beat() {
    try {
      const answers = await beater.heartbeats({ body: { sessions: [...sessions] } });
      for (const { id, state, degraded: without } of answers.sessions) {
        if (state === 'over') over.add(id);
        if (without) degraded += 1;
      }
    } catch (error) {
      if (error instanceof NexusError) refusals.push(error);
    }
  }

  const running = (async () => {
    while (!stopped) {
      if (sessions.size > 0) await beat();
      await Bun.sleep(everyMs);
    }
  })();

  return {
    add: (...ids: string[]) => ids.forEach((id) => sessions.add(id)),
    forget: (...ids: string[]) => ids.forEach((id) => sessions.delete(id)),
    /** Sessions that the server said are over. */
    over,
    /** Heartbeats that were answered with an error. */
    refusals,
    degraded: () => degraded,
    async stop() {
      stopped = true;
      await running;
    },
  };
}
