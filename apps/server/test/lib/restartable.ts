import { type Client, createClient } from '@nexus/client';
import { type ServerProcess, spawnServer } from '../harness.ts';

/**
 * A port that nobody listens on now, and that no outgoing connection is given (those lie above 32768): a server that is
 * killed finds it free again.
 */
export function freePort(): number {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    try {
      Bun.listen({ hostname: '127.0.0.1', port, socket: { data: () => undefined } }).stop(true);
      return port;
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EADDRINUSE') throw error;
    }
  }
}

export type Restartable = Awaited<ReturnType<typeof restartableServer>>;

/** A server process that is killed and started again at one address, over the same data. Not running until `start`. */
export function restartableServer(env: Record<string, string>) {
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  const anonymous: Client = createClient({ server: url });
  let running: ServerProcess | undefined;
  const all: ServerProcess[] = [];
  let armed: string | undefined;

  async function kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | undefined> {
    running?.kill(signal);
    return ended();
  }

  /** Waits for its end, by whatever cause. */
  async function ended(): Promise<number | undefined> {
    const code = await running?.exited;
    running = undefined;
    return code;
  }

  return {
    url,
    anonymous,
    kill,
    ended,
    /** `crash`: the failpoint at which it ends itself. One that runs already, armed alike, goes on running. */
    async start(crash?: string): Promise<void> {
      if (running && armed === crash) return;
      await kill();
      running = await spawnServer({ PORT: String(port), LOG_LEVEL: 'warn', ...env, ...(crash ? { NEXUS_CRASH: crash } : {}) });
      armed = crash;
      const started = running;
      all.push(started);
      void started.exited.then(() => {
        if (running === started) running = undefined;
      });
    },
    /** Stops it, or lets it go on. */
    signal: (signal: NodeJS.Signals) => running?.kill(signal),
    runs: () => running !== undefined,
    /** What all that ran here have written, the first of them first. */
    output: () => all.map((each) => each.output()).join(''),
  };
}
