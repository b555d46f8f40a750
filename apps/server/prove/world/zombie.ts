import { createClient, NexusError } from '@nexus/client';

/** A process of agents that pick, beat, and then act on what they held long ago. Its orders come in its first argument. */
export type Orders = { server: string; apiKey: string; projectId: string; slugs: string[]; /** One that nobody holds. */ free: string };
export type Held = { slug: string; session: string; fence: number };
export type Act = { slug: string; verb: string; named: boolean; status: number; code: string };

const orders = JSON.parse(process.argv[2] ?? '{}') as Orders;
const { server, apiKey, projectId } = orders;
const lead = createClient({ server, apiKey, retries: 0, timeout: 10_000 });
const say = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`);

const holds = await Promise.all(
  orders.slugs.map(async (slug): Promise<Held> => {
    const { id: session } = await lead.openSession({
      projectId,
      body: { agent: 'zombie', agentSessionId: crypto.randomUUID(), keeper: true },
    });
    const { fence } = await lead.with({ session }).pickFeature({ projectId, slug });
    return { slug, session, fence: fence ?? 0 };
  }),
);
say(holds);
const beats = setInterval(
  () => void lead.heartbeats({ body: { sessions: holds.map(({ session }) => session) } }).catch(() => undefined),
  300,
);

/** Everything it could still do, with the fence it has, or with none: the hold its session has now. */
async function act({ slug, session, fence: had }: Held): Promise<Act[]> {
  const me = lead.with({ session });
  const done: Act[] = [];
  const tried = async (verb: string, named: boolean, call: () => Promise<unknown>) => {
    const error = await call().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    const refusal = error instanceof NexusError ? error : undefined;
    done.push({ slug, verb, named, status: refusal?.status ?? (error ? 0 : 200), code: refusal?.code ?? String(error) });
  };
  await tried('heartbeat', false, () => lead.heartbeat({ projectId, sessionId: session }));
  for (const named of [true, false]) {
    const fence = named ? had : undefined;
    await tried('extend', named, () =>
      me.claim({ projectId, body: { paths: [`late/${slug}.ts`], ...(named ? { fence: had } : { featureSlug: slug }) } }),
    );
    await tried('update', named, () => me.updateFeature({ projectId, slug, body: { touches: [`late/${slug}.ts`], fence } }));
    await tried('release', named, () => me.releaseFeature({ projectId, slug, body: { fence } }));
    await tried('done', named, () => me.doneFeature({ projectId, slug, body: { fence } }));
    await tried('cancel', named, () => me.cancelFeature({ projectId, slug, body: { fence } }));
    await tried('pick', named, () => me.pickFeature({ projectId, slug }));
  }
  await tried('pick of what is free', false, () => me.pickFeature({ projectId, slug: orders.free }));
  return done;
}

for await (const _ of process.stdin) {
  clearInterval(beats);
  say((await Promise.all(holds.map(act))).flat());
  process.exit(0);
}
