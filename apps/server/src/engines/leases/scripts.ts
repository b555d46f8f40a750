import type { RedisConnection } from '../redis.ts';
import apply from './apply.lua' with { type: 'text' };
import beat from './beat.lua' with { type: 'text' };
import check from './check.lua' with { type: 'text' };
import condemn from './condemn.lua' with { type: 'text' };
import grant from './grant.lua' with { type: 'text' };
import list from './list.lua' with { type: 'text' };
import load from './load.lua' with { type: 'text' };
import open from './open.lua' with { type: 'text' };
import prelude from './prelude.lua' with { type: 'text' };
import stale from './stale.lua' with { type: 'text' };
import version from './version.lua' with { type: 'text' };

const everyKey = ['meta', 'counters', 'writes', 'reads', 'claims', 'holds', 'globs', 'holders', 'lost', 'deadlines', 'ttls', 'condemned'];

/** `keys` are the names under which a script knows its KEYS; `meta` is always the first. */
const scripts = {
  version: { keys: ['meta'], lua: version },
  apply: { keys: everyKey, lua: grant + apply },
  load: { keys: everyKey, lua: grant + load },
  check: { keys: ['meta', 'counters', 'writes', 'reads', 'holds', 'globs'], lua: check },
  open: { keys: ['meta', 'deadlines', 'ttls', 'condemned'], lua: open },
  beat: { keys: ['meta', 'holders', 'lost', 'deadlines', 'ttls', 'condemned'], lua: beat },
  stale: { keys: ['meta', 'deadlines', 'condemned'], lua: stale },
  condemn: { keys: ['meta', 'deadlines', 'ttls', 'condemned'], lua: condemn },
  list: { keys: ['meta', 'deadlines'], lua: list },
};

export type ScriptName = keyof typeof scripts;

/** Every key of a project carries its id in braces: one cluster slot, so that one script may touch them all. */
export const keyOf = (project: string, name: string): string => `nx:{${project}}:${name}`;

/** One round trip a call: EVALSHA, and EVAL after a restart has forgotten the script. */
export function defineScripts(redis: RedisConnection) {
  for (const [name, { keys, lua }] of Object.entries(scripts)) {
    redis.defineCommand(commandOf(name), { numberOfKeys: keys.length, lua: `local ${keys.join(', ')} = unpack(KEYS)\n${prelude}${lua}` });
  }
  const commands = redis as unknown as Record<string, (...args: Array<string | number>) => Promise<unknown>>;

  return async (name: ScriptName, project: string, args: Array<string | number>): Promise<unknown> =>
    commands[commandOf(name)]?.(...scripts[name].keys.map((key) => keyOf(project, key)), ...args);
}

const commandOf = (name: string) => `nexus:${name}`;
