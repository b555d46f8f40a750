import { connect, createServer, type Socket } from 'node:net';
import { freePort } from '../../test/lib/restartable.ts';

export type Proxy = Awaited<ReturnType<typeof startProxy>>;

/** Stands between a client and a server, and does to their connections what networks do. `to` is where the server listens. */
export async function startProxy(to: number) {
  const port = freePort();
  const pairs = new Set<{ inner: Socket; outer: Socket }>();
  let target = to;
  let refuses = false;
  let stalls = false;
  let swallow: { what: Buffer; done: () => void } | undefined;

  const server = createServer((outer) => {
    if (refuses) return void outer.destroy();
    const inner = connect({ host: '127.0.0.1', port: target });
    const pair = { inner, outer };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      inner.destroy();
      outer.destroy();
    };
    for (const socket of [inner, outer]) {
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
      if (stalls) socket.pause();
    }
    outer.on('data', (chunk) => void inner.write(chunk));
    inner.on('data', (chunk) => {
      if (swallow && chunk.includes(swallow.what)) {
        const { done } = swallow;
        swallow = undefined;
        end();
        done();
      } else outer.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));

  return {
    port,
    /** Ends every connection at this moment. */
    cut() {
      for (const { inner } of pairs) inner.destroy();
    },
    refuse: (is: boolean) => {
      refuses = is;
    },
    /** Connections stay, and nothing passes. */
    stall(is: boolean) {
      stalls = is;
      for (const { inner, outer } of pairs) for (const socket of [inner, outer]) socket[is ? 'pause' : 'resume']();
    },
    /** New connections go there; the others end. */
    moveTo(other: number) {
      target = other;
      this.cut();
    },
    /** The next reply that contains this text is lost, and its connection with it. Resolves when that has happened. */
    loseReply: (text: string) =>
      new Promise<void>((done) => {
        swallow = { what: Buffer.from(text), done };
      }),
    /** Takes the last `loseReply` back. */
    loseNothing: () => {
      swallow = undefined;
    },
    async stop() {
      this.cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
