import { resolve } from 'node:path';
import type { Io } from './io.ts';

/** How to run this same program again. */
export function self(): Io['self'] {
  return { command: process.execPath, args: ownScript() };
}

/** From source and from a bundle there is a script; in a compiled executable there is none. */
function ownScript(): string[] {
  const script = process.argv[1];
  return script === undefined || /^(?:\/\$bunfs\/|[A-Z]:[/\\]~BUN[/\\])/.test(script) ? [] : [resolve(script)];
}
