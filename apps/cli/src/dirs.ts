import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The user's own directories, by the XDG rules. */
export type Dirs = { config: string; state: string; runtime: string };

export function findDirs(env: Record<string, string | undefined>): Dirs {
  const home = env['HOME'] || homedir();
  const state = env['NEXUS_STATE_DIR'] || join(env['XDG_STATE_HOME'] || join(home, '.local', 'state'), 'nexus');
  return {
    config: env['NEXUS_CONFIG_DIR'] || join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'nexus'),
    state,
    // Often set where there is none: containers, su, after logout.
    runtime:
      env['NEXUS_RUNTIME_DIR'] ||
      (env['XDG_RUNTIME_DIR'] && existsSync(env['XDG_RUNTIME_DIR']) ? join(env['XDG_RUNTIME_DIR'], 'nexus') : join(state, 'run')),
  };
}
