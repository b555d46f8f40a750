import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { type Dirs, dirsOf } from './dirs-of.ts';

export type { Dirs };

export function findDirs(env: Record<string, string | undefined>): Dirs {
  const runtime = env['XDG_RUNTIME_DIR'];
  return dirsOf(env, env['HOME'] || homedir(), Boolean(runtime) && existsSync(runtime ?? ''));
}
