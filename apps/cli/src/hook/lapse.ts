import type { Caller, HookEvent, Verdict } from './event.ts';
import { onceInAWhile } from './memory.ts';
import { createPlaces, type Places } from './places.ts';
import { createProjects } from './projects.ts';

type Needs = { now: () => number; places?: Places };

/** What to say when nothing could be checked: nothing stops but in a strict project, and the person is told now and then. */
export function createLapse({ now, places = createPlaces({ now }) }: Needs) {
  const { lastPolicy } = createProjects({ clientFor: () => unused(), now });
  return async (event: HookEvent, { env }: Caller, why: string): Promise<Verdict> => {
    if (event.event !== 'pre_tool' || event.tool === undefined || event.tool.kind === 'other') return {};
    const place = await places.find(event.tool.paths[0] ?? event.cwd, env);
    if (place === undefined) return {};
    if (event.tool.kind === 'write' && lastPolicy(place.link).edits === 'strict') {
      return {
        deny: `This edit was not checked: ${why}. This project allows no unchecked edits (policy strict). \`nexus keeper status\` tells more.`,
      };
    }
    const text = onceInAWhile(place.link.dirs, `Nexus: ${why}. Edits go on unchecked.`, now());
    return text === undefined ? {} : { notice: text };
  };
}

function unused(): never {
  throw new Error('A lapse asks no server.');
}
