/** A unix socket's address holds 104 bytes on macOS, 108 on Linux; a temporary name is eight longer. */
const longest = 92;

/** Where the keeper listens; undefined when the names are too long there. Every hook loads it: it imports nothing. */
export function socketsIn(dir: string): { socket: string; hookSocket: string } | undefined {
  const socket = `${dir}/keeper.sock`;
  return new TextEncoder().encode(socket).length <= longest ? { socket, hookSocket: `${dir}/hook.sock` } : undefined;
}
