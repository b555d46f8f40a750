import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Io } from '../io.ts';
import type { Command } from './claude-hooks.ts';

/** The program that this name means in the user's shell. */
export function findOnPath(env: Io['env'], name: string): string | undefined {
  for (const dir of (env['PATH'] ?? '').split(delimiter)) {
    const path = join(dir, name);
    if (dir !== '' && isProgram(path)) return path;
  }
  return undefined;
}

/** How to start this very program from anywhere: the `nexus` on PATH, or what runs now. */
export function absoluteSelf({ env, self }: Pick<Io, 'env' | 'self'>): Command {
  const found = findOnPath(env, 'nexus');
  return found === undefined ? self : { command: found, args: [] };
}

export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(realpathSync(path)).isFile();
  } catch {
    return false;
  }
}
