import { type Client, NexusError } from '@nexus/client';
import type { FeedEvent, Role } from '@nexus/contract';
import { checkedFetch } from './checked-fetch.ts';
import type { TestServer } from './harness.ts';

/** The refusal that a call is expected to end in. */
export async function refusal(call: Promise<unknown>): Promise<NexusError> {
  const error = await call.then(
    (answer) => new Error(`expected a refusal, got ${JSON.stringify(answer)}`),
    (reason: unknown) => reason,
  );
  if (error instanceof NexusError) return error;
  throw error;
}

export type Person = Awaited<ReturnType<TestServer['engineer']>>;

/** Engineers for a whole file; projects of their own for each test. */
export async function createCrew(server: TestServer) {
  const engineer = async (name: string): Promise<Person> => {
    const person = await server.engineer(name);
    return Object.assign(person.with({ fetch: checkedFetch() }), { engineer: person.engineer });
  };
  const [lead, member, readonly, stranger] = await Promise.all([
    engineer('Lead'),
    engineer('Mem'),
    engineer('Reader'),
    engineer('Stranger'),
  ]);
  return {
    lead,
    member,
    readonly,
    stranger,
    /** A project of `lead`, in which `member` and `readonly` are what their names say. */
    async project(): Promise<string> {
      const { id: projectId } = await lead.createProject({ body: { name: 'Project', slug: `p-${crypto.randomUUID()}` } });
      const add = (person: Person, role: Role) => lead.addMember({ projectId, body: { engineerId: person.engineer.id, role } });
      await Promise.all([add(member, 'member'), add(readonly, 'readonly')]);
      return projectId;
    },
  };
}
export type Crew = Awaited<ReturnType<typeof createCrew>>;

export const slugs = (features: Array<{ slug: string }>): string[] => features.map(({ slug }) => slug);

/** Every event of the project, oldest first. */
export const eventsOf = async (client: Client, projectId: string): Promise<FeedEvent[]> =>
  (await client.events({ projectId, query: { after: '0', limit: 1000 } })).items;

/** A request as it is sent, for what the typed client would not send. The answer's body is parsed when it is JSON. */
export async function raw(
  server: { url: string },
  method: string,
  path: string,
  { key, headers = {}, body }: { key?: string | undefined; headers?: Record<string, string>; body?: unknown } = {},
) {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parsed(text) };
}

function parsed(
  text: string,
): { data?: unknown; error?: { code: string; message: string; details?: unknown; requestId: string } } | undefined {
  try {
    return JSON.parse(text) as ReturnType<typeof parsed>;
  } catch {
    return undefined;
  }
}
