import { createServer } from 'node:net';

/** Where a server may listen: one that has the port on any of these is in the way of one on all. */
const hosts = [undefined, '127.0.0.1', '::1'];

/** Whether nothing on this machine listens there, as far as listening there oneself tells. */
export async function isFree(port: number): Promise<boolean> {
  for (const host of hosts) if (!(await canListen(port, host))) return false;
  return true;
}

function canListen(port: number, host: string | undefined): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    // A machine without that address is no obstacle.
    server.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT'));
    server.listen({ port, exclusive: true, ...(host === undefined ? {} : { host }) }, () => server.close(() => resolve(true)));
  });
}

/** Those that are in use, of at most so many from the first on: more no caller may name. */
export async function usedPorts(from: number, to: number, most = 1000): Promise<number[]> {
  const used: number[] = [];
  for (let port = from; port <= to && port < from + most; port += 1) if (!(await isFree(port))) used.push(port);
  return used;
}
