import { createClient } from '../../packages/client/src/index.ts';
import type { LoadRequest } from './load.ts';

export type Worker = { slug: string; sessionId: string; touches: string[] };
export type BenchProject = { url: string; apiKey: string; projectId: string; workers: Worker[] };

/** A project whose sessions each have a ready feature of five paths that no other feature touches. */
export async function makeProject(url: string, sessions: number): Promise<BenchProject> {
  const { apiKey } = await createClient({ server: url }).register({ body: { name: 'Bench', email: `${crypto.randomUUID()}@example.org` } });
  const lead = createClient({ server: url, apiKey });
  const { id: projectId } = await lead.createProject({ body: { name: 'Bench', slug: `bench-${crypto.randomUUID()}` } });
  const workers: Worker[] = [];
  for (let n = 0; n < sessions; n += 1) {
    const slug = `part-${String(n).padStart(2, '0')}`;
    const touches = [`src/${slug}/`, `src/pages/${slug}.ts`, `test/${slug}/`, `docs/${slug}.md`, `styles/${slug}.css`];
    const spec = `Build ${slug}. Done when its tests pass.`;
    await lead.createFeature({ projectId, body: { slug, title: `Part ${slug}`, spec, touches } });
    await lead.readyFeature({ projectId, slug });
    const { id: sessionId } = await lead.openSession({
      projectId,
      body: { agent: 'claude', agentSessionId: crypto.randomUUID(), keeper: true },
    });
    workers.push({ slug, sessionId, touches });
  }
  return { url, apiKey, projectId, workers };
}

export const headersOf = ({ apiKey }: BenchProject, { sessionId }: Pick<Worker, 'sessionId'>) => ({
  authorization: `Bearer ${apiKey}`,
  'x-nexus-session': sessionId,
  accept: 'application/json',
});

/** A worker's pick and release, as the client sends them. */
export const pickAndRelease = (project: BenchProject, worker: Worker): LoadRequest[] =>
  ['pick', 'release'].map((verb) => ({
    kind: verb,
    method: 'POST',
    path: `/api/projects/${project.projectId}/features/${worker.slug}/${verb}`,
    headers: { ...headersOf(project, worker), 'idempotency-key': '{uuid}' },
    ...(verb === 'release' ? { body: '{}' } : {}),
  }));
