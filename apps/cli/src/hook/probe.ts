import { probeSession, reached } from './event.ts';
import type { Caller, HookEvent, Verdict } from './event.ts';
import type { Actors } from './actors.ts';
import type { Places } from './places.ts';
import type { Projects } from './projects.ts';

type Needs = { places: Places; projects: Projects; actors: Pick<Actors, 'clientFor'> };

export const isProbe = ({ sessionId }: HookEvent): boolean => sessionId === probeSession;

/** The question of `nexus doctor`: goes the way of every edit as far as the server, and opens, claims and ends nothing. */
export function createProbe({ places, projects, actors }: Needs) {
  return async ({ cwd }: HookEvent, { env }: Caller): Promise<Verdict> => {
    try {
      const place = await places.find(cwd, env);
      const project = place && (await projects.resolve(place.link));
      if (project === undefined) return {};
      const { policy } = await actors.clientFor(project).getProject({ projectId: project.projectId });
      return { notice: `${reached} ${project.server}, edits: ${policy.edits}` };
    } catch (error) {
      return { notice: error instanceof Error ? error.message : String(error) };
    }
  };
}
