import { join } from 'node:path';

/** A unix socket's address holds 104 bytes on macOS, 108 on Linux; a temporary name is eight longer. */
const longest = 92;

/** Where the keeper listens; undefined when the names are too long there. Loaded by every hook: it needs nothing more. */
export function socketsIn(dir: string): { socket: string; hookSocket: string } | undefined {
  const socket = join(dir, 'keeper.sock');
  return Buffer.byteLength(socket) <= longest ? { socket, hookSocket: join(dir, 'hook.sock') } : undefined;
}
