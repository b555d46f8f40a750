import { connect, createServer } from 'node:net';

/**
 * A TCP port of 127.0.0.1 that nobody listens on, and that no outgoing connection is given (those lie above 32768): what
 * is stopped and started again finds it free.
 */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    const attempt = () => server.listen(20_000 + Math.floor(Math.random() * 10_000), '127.0.0.1');
    server.on('error', (error) => (error.code === 'EADDRINUSE' ? attempt() : reject(error)));
    server.on('listening', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
    attempt();
  });
}

/** True as soon as `probe` answers true, false after `ms`. */
export async function eventually(probe, ms) {
  const deadline = Date.now() + ms;
  while (Date.now() < deadline) {
    if (await probe()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

export function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const end = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
    socket.setTimeout(1000, () => end(false));
  });
}
