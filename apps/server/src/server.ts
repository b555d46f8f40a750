import { MAX_IMPORT_BYTES } from '@nexus/contract';
import { createApp } from './app.ts';
import type { Deps } from './deps.ts';
import type { SocketData } from './feed/index.ts';

/** A stream says something every 15 s; one that nobody reads any more is cut after this. */
const QUIET_SECONDS = 60;
const DRAIN_MS = 200;
const socketPath = /^[^:]+:\/\/[^/]+(?:\/api)?\/ws(?:[?#]|$)/;

export type RunningServer = { url: string; port: number; stop: () => Promise<void> };

/** Listens. `stop` answers what is under way, closes sockets with 1001, and gives everything back. */
export async function serve(deps: Deps): Promise<RunningServer> {
  const closing = new AbortController();
  const { config, socket } = deps;
  const server = Bun.serve<SocketData>({
    port: config.port,
    hostname: config.host,
    idleTimeout: 60,
    // Routes refuse what is too much for them, in the one form of all errors; this ends what no route would read.
    maxRequestBodySize: Math.max(config.limits.bodyBytes * 4, MAX_IMPORT_BYTES * 2),
    fetch(request, listening) {
      if (socketPath.test(request.url)) return socket.upgrade(request, listening);
      return app.fetch(request);
    },
    websocket: socket.handlers,
  });
  const app = createApp({
    deps,
    closing: closing.signal,
    connection: (request) => ({
      ip: () => server.requestIP(request)?.address ?? '',
      keepOpen: () => server.timeout(request, QUIET_SECONDS),
    }),
  });
  await deps.start();
  return {
    url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${server.port}`,
    port: server.port ?? 0,
    async stop() {
      deps.health.draining();
      closing.abort();
      socket.closeAll();
      // Requests that are on their way get their 503; a connection that is closed at once would tell them nothing.
      await Bun.sleep(DRAIN_MS);
      await Promise.race([server.stop(), new Promise((resolve) => setTimeout(resolve, 10_000).unref())]);
      await deps.stop();
    },
  };
}
