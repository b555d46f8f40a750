import { type Client, createClient, NexusError } from '../../packages/client/src/index.ts';
import { startServer } from '../lib/processes.ts';
import type { Work } from './history.ts';
import { conflictsAmong, type Edit, type Outcome } from './outcome.ts';

/**
 * The same work through a real server: agents pick what is free, work, and are done. Each call is a real one; work takes
 * virtual time, and a call none. `brief` files are not held by a feature: each is claimed for its own share of the work, at
 * the end, and given back, as the project's policy of that name has it.
 */
export async function withNexus(all: Work[], agents: number, brief: string[]): Promise<Outcome> {
  const server = await startServer({ LIMIT_REGISTER: '0' });
  try {
    const { apiKey } = await createClient({ server: server.url }).register({ body: { name: 'Ann', email: 'ann@example.org' } });
    const lead = createClient({ server: server.url, apiKey });
    const { id: projectId } = await lead.createProject({ body: { name: 'Simulated', slug: 'simulated' } });
    if (brief.length > 0) await lead.updateProject({ projectId, body: { policy: { brief } } });
    for (const { slug, title, files } of all) {
      await lead.createFeature({ projectId, body: { slug, title, spec: title, touches: files } });
      await lead.readyFeature({ projectId, slug });
    }
    const crew: Client[] = [];
    for (let number = 0; number < agents; number += 1) {
      const { id: session } = await lead.openSession({ projectId, body: { agent: 'agent', agentSessionId: `${number}` } });
      crew.push(lead.with({ session }));
    }
    return await work({ crew, projectId, all, brief: listed(all, brief) });
  } finally {
    await server.stop();
  }
}

/** A name without a folder is on the list wherever it stands. */
const listed = (all: Work[], brief: string[]): Set<string> =>
  new Set(
    all.flatMap(({ files }) =>
      files.filter((file) => brief.some((name) => file === name || (!name.includes('/') && file.endsWith(`/${name}`)))),
    ),
  );

/** What an agent does next, at a virtual moment; false: it is refused, and waits until something comes free. */
type Step = (now: number) => Promise<boolean>;
type Event = { at: number; step: Step; /** A file, or undefined: work. */ waitsFor: string | undefined };

async function work({
  crew,
  projectId,
  all,
  brief,
}: {
  crew: Client[];
  projectId: string;
  all: Work[];
  brief: Set<string>;
}): Promise<Outcome> {
  const works = new Map(all.map((each) => [each.slug, each]));
  const edits: Edit[] = [];
  const coming: Event[] = [];
  const waiting = new Map<string | undefined, Event[]>();
  let waited = 0;
  let makespan = 0;
  const later = (at: number, step: Step, waitsFor?: string) => void coming.push({ at, step, waitsFor });

  const pick =
    (agent: Client): Step =>
    async (now) => {
      const picked = await unlessHeld(() => agent.pickNext({ projectId, body: {} }));
      const found = picked && works.get(picked.slug);
      if (!found) return false;
      const held = found.files.filter((file) => !brief.has(file));
      const share = found.minutes / found.files.length;
      const end = now + share * held.length;
      for (const file of held) edits.push({ file, by: found.slug, from: now, to: end });
      const briefly = found.files.filter((file) => brief.has(file));
      later(end, claim(agent, found, share, briefly), briefly[0]);
      return true;
    };

  /** The brief files that are left, one after another; then it is done. */
  const claim =
    (agent: Client, found: Work, share: number, [file, ...others]: string[]): Step =>
    async (now) => {
      if (file === undefined) {
        await agent.doneFeature({ projectId, slug: found.slug });
        makespan = now;
        await wake(undefined, now);
        later(now, pick(agent));
        return true;
      }
      const claimed = await unlessHeld(() => agent.claim({ projectId, body: { paths: [file] } }));
      if (!claimed) return false;
      edits.push({ file, by: found.slug, from: now, to: now + share });
      later(now + share, async (end) => {
        await agent.releaseClaims({ projectId, body: { paths: [file] } });
        await wake(file, end);
        later(end, claim(agent, found, share, others), others[0]);
        return true;
      });
      return true;
    };

  /** Something came free: those who wait for it try in turn, until the first is refused, as all others would be. */
  async function wake(what: string | undefined, now: number) {
    const line = waiting.get(what) ?? [];
    while (line[0] && (await line[0].step(now))) waited += now - (line.shift()?.at ?? now);
  }

  for (const agent of crew) later(0, pick(agent));
  while (coming.length > 0) {
    const next = coming.reduce((soonest, one) => (one.at < soonest.at ? one : soonest));
    coming.splice(coming.indexOf(next), 1);
    if (!(await next.step(next.at))) waiting.set(next.waitsFor, [...(waiting.get(next.waitsFor) ?? []), next]);
  }
  return { makespan, conflicts: conflictsAmong(edits), rework: 0, waited };
}

async function unlessHeld<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof NexusError && error.status === 409) return undefined;
    throw error;
  }
}
