/** The user's own directories, by the XDG rules. */
export type Dirs = { config: string; state: string; runtime: string };

/**
 * A pure rule without an import, for every hook loads it. `runtimeExists` is about XDG_RUNTIME_DIR, which is often set
 * where there is none: containers, su, after logout.
 */
export function dirsOf(env: Record<string, string | undefined>, home: string, runtimeExists: boolean): Dirs {
  const state = env['NEXUS_STATE_DIR'] || `${env['XDG_STATE_HOME'] || `${home}/.local/state`}/nexus`;
  return {
    config: env['NEXUS_CONFIG_DIR'] || `${env['XDG_CONFIG_HOME'] || `${home}/.config`}/nexus`,
    state,
    runtime: env['NEXUS_RUNTIME_DIR'] || (env['XDG_RUNTIME_DIR'] && runtimeExists ? `${env['XDG_RUNTIME_DIR']}/nexus` : `${state}/run`),
  };
}
