import type { Client } from '@nexus/client';
import { defaultPolicy, ProjectPolicy } from '@nexus/contract';
import { join } from 'node:path';
import { readJson, writeJson } from '../files.ts';
import { shortHash } from '../machine.ts';
import type { ProjectLink } from './places.ts';

/** A project that hooks act in: its id, and what its guards do. */
export type Project = ProjectLink & { projectId: string; key: string };

export type Projects = {
  /** Looks up the id where the repository names only a slug. Undefined: the caller is in no such project. */
  resolve: (link: ProjectLink) => Promise<Project | undefined>;
  policy: (project: Project) => Promise<ProjectPolicy>;
  /** What was last heard, also by an earlier keeper; the default when nothing was. */
  lastPolicy: (link: ProjectLink) => ProjectPolicy;
};

type Needs = { clientFor: (link: ProjectLink) => Client; now: () => number };

/** A change of policy may take this long to reach a guard. */
const freshMs = 60_000;

export function createProjects({ clientFor, now }: Needs): Projects {
  const ids = new Map<string, string>();
  const policies = new Map<string, { at: number; policy: Promise<ProjectPolicy> }>();

  const fetchPolicy = async (project: Project): Promise<ProjectPolicy> => {
    const { policy } = await clientFor(project).getProject({ projectId: project.projectId });
    // A server of before policies.
    const known = policy ?? defaultPolicy;
    keepPolicy(project, known);
    return known;
  };

  return {
    resolve: async (link) => {
      const key = `${link.server} ${link.wanted}`;
      const id = isId(link.wanted) ? link.wanted : (ids.get(key) ?? (await findId(clientFor(link), link.wanted)));
      if (id === undefined) return undefined;
      ids.set(key, id);
      return { ...link, projectId: id, key: `${link.server} ${id} ${shortHash(link.apiKey)}` };
    },
    policy: (project) => {
      const known = policies.get(project.key);
      if (known !== undefined && now() - known.at < freshMs) return known.policy;
      const policy = fetchPolicy(project);
      policies.set(project.key, { at: now(), policy });
      policy.catch(() => policies.delete(project.key));
      return policy;
    },
    lastPolicy: (link) => {
      try {
        return ProjectPolicy.parse(readJson(policyPath(link)));
      } catch {
        return defaultPolicy;
      }
    },
  };
}

const isId = (text: string): boolean => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);

const findId = async (client: Client, wanted: string): Promise<string | undefined> =>
  (await client.listProjects()).find(({ slug, id }) => slug === wanted || id === wanted)?.id;

const policyPath = ({ dirs, server, wanted }: ProjectLink): string =>
  join(dirs.state, 'policies', `${shortHash(`${server} ${wanted}`)}.json`);

/** A strict project stays strict while its server is away. */
function keepPolicy(project: Project, policy: ProjectPolicy): void {
  try {
    const before = JSON.stringify(readJson(policyPath(project)));
    if (before !== JSON.stringify(policy)) writeJson(policyPath(project), policy);
  } catch {
    // It is only a memory for bad times.
  }
}
