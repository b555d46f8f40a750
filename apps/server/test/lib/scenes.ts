import type { Client } from '@nexus/client';
import type { FeedEvent } from '@nexus/contract';
import { readyFeature, terminal } from '../harness.ts';

export const verbs = [
  'pick',
  'done',
  'release',
  'cancel',
  'resume',
  'force',
  'claim',
  'unclaim',
  'update',
  'open',
  'end',
  'lose',
  'wait',
  'alloc',
  'checkpoint',
  'offer',
  'apply',
] as const;
export type Verb = (typeof verbs)[number];

export type State = Awaited<ReturnType<typeof stateOf>>;
export type Scene = {
  /** Its feature's slug, the folder of its paths, and its sessions' agent. */
  name: string;
  /** Whom to beat for, as long as they are to live. */
  sessions: string[];
  /** The verb, under this idempotency key; answers what a retry must answer alike. */
  act: (key: string, options?: { retries: number }) => Promise<unknown>;
  isDone: (state: State) => boolean;
};

type Stage = { lead: Client; projectId: string; name: string };

/** What the verbs change: who holds what, where the feature is, who is alive, what is kept of it, and what the feed tells. */
export async function stateOf(lead: Client, projectId: string, { name }: Pick<Scene, 'name'>) {
  const [features, { claims, sessions, waiting }, told] = await Promise.all([
    lead.listFeatures({ projectId, query: { limit: 100 } }),
    lead.status({ projectId }),
    feedOf(lead, projectId),
  ]);
  const found = features.items.find(({ slug }) => slug === name);
  const [checkpoint, patches] = await Promise.all([
    found && lead.latestCheckpoint({ projectId, query: { featureId: found.id } }),
    lead.listPatches({ projectId, query: { state: 'any', limit: 100 } }),
  ]);
  return {
    feature: found && {
      status: found.status,
      fence: found.fence,
      heldBy: found.heldBy?.sessionId ?? null,
      touches: found.touches,
      interrupted: found.interrupted,
    },
    claims: claims
      .filter(({ agent }) => agent === name)
      .map(({ filePath, sessionId, fence, parked }) => ({ filePath, sessionId, fence, parked })),
    sessions: sessions.filter(({ agent }) => agent === name).map(({ id }) => id),
    waiting: waiting.filter(({ agent }) => agent === name).map(({ id }) => id),
    checkpoint: checkpoint?.id ?? null,
    patches: patches.items.filter(({ paths }) => paths[0]?.startsWith(`${name}/`)).map(({ id, state }) => ({ id, state })),
    events: told.filter((event) => !isOfOthers(event, name)).map(({ seq, type }) => `${seq} ${type}`),
  };
}

async function feedOf(lead: Client, projectId: string): Promise<FeedEvent[]> {
  const told: FeedEvent[] = [];
  for (let after = '0'; ;) {
    const { items, cursor, hasMore } = await lead.events({ projectId, query: { after, limit: 1000 } });
    told.push(...items);
    if (!hasMore) return told;
    after = cursor;
  }
}

/** A session that another scene opened and nobody beats for is lost meanwhile. What names no scene counts for all. */
function isOfOthers({ feature, actor, data }: FeedEvent, name: string): boolean {
  const named = [feature?.slug, actor.agent, data['agent']].filter((one) => typeof one === 'string');
  return named.length > 0 && !named.includes(name);
}

const touchesOf = (name: string) => [`${name}/a.ts`, `${name}/b/`, `ro:${name}/docs/`];
/** To a file that the scene's feature holds. */
const diffOf = (name: string) =>
  [
    `diff --git a/${name}/a.ts b/${name}/a.ts`,
    `index ${'1'.repeat(40)}..${'2'.repeat(40)} 100644`,
    `--- a/${name}/a.ts`,
    `+++ b/${name}/a.ts`,
    '@@ -1 +1 @@',
    '-one',
    '+two',
    '',
  ].join('\n');
const session = ({ lead, projectId, name }: Stage) => terminal(lead, projectId, { agent: name, keeper: true });
const ready = ({ lead, projectId, name }: Stage) => readyFeature(lead, projectId, name, touchesOf(name));

/** One feature, held by one session. */
async function held(stage: Stage) {
  const agent = await session(stage);
  await ready(stage);
  const { fence } = await agent.pickFeature({ projectId: stage.projectId, slug: stage.name });
  return { agent, fence: fence ?? 0 };
}

/** The same, and a session that wants some of it. */
async function wanted(stage: Stage) {
  const { agent: holder } = await held(stage);
  const agent = await session(stage);
  return { holder, agent, sessions: [holder.sessionId, agent.sessionId] };
}

/** A verb that ends the hold of the feature and moves it on. */
const ending =
  (verb: 'doneFeature' | 'releaseFeature' | 'cancelFeature', status: string) =>
  async (stage: Stage): Promise<Scene> => {
    const { projectId, name } = stage;
    const { agent, fence } = await held(stage);
    return {
      name,
      sessions: [agent.sessionId],
      act: async (idempotencyKey, options) =>
        (await agent.with({ ...options })[verb]({ projectId, slug: name, body: { fence } }, { idempotencyKey })).status,
      isDone: ({ feature, claims }) => feature?.status === status && feature.fence === null && claims.length === 0,
    };
  };

/** Its session leaves: with good bye, or seen to be dead. */
const leaving =
  (reason: 'ended' | 'died') =>
  async (stage: Stage): Promise<Scene> => {
    const { lead, projectId, name } = stage;
    const { agent } = await held(stage);
    await agent.claim({ projectId, body: { paths: [`${name}/extra.ts`] } });
    const { id: child } = await lead.openSession({
      projectId,
      body: { agent: name, agentSessionId: crypto.randomUUID(), parentId: agent.sessionId, keeper: true },
    });
    return {
      name,
      sessions: [agent.sessionId, child],
      act: async (idempotencyKey, options) =>
        (await lead.with({ ...options }).endSession({ projectId, sessionId: agent.sessionId, body: { reason } }, { idempotencyKey }))
          .status,
      isDone: ({ feature, claims, sessions }) =>
        feature?.status === 'ready' && feature.interrupted === (reason === 'died') && claims.length === 0 && sessions.length === 0,
    };
  };

/** For each verb that changes who holds what: everything ready for it to happen. */
export const scenes: Record<Verb, (stage: Stage) => Promise<Scene>> = {
  done: ending('doneFeature', 'done'),
  release: ending('releaseFeature', 'ready'),
  cancel: ending('cancelFeature', 'cancelled'),
  end: leaving('ended'),
  lose: leaving('died'),

  async pick(stage) {
    const { projectId, name } = stage;
    const agent = await session(stage);
    await ready(stage);
    return {
      name,
      sessions: [agent.sessionId],
      act: async (idempotencyKey, options) =>
        (await agent.with({ ...options }).pickFeature({ projectId, slug: name }, { idempotencyKey })).fence,
      isDone: ({ feature, claims }) => feature?.heldBy === agent.sessionId && feature.fence !== null && claims.length === 3,
    };
  },

  async resume(stage) {
    const { lead, projectId, name } = stage;
    const before = await held(stage);
    await lead.endSession({ projectId, sessionId: before.agent.sessionId, body: { reason: 'ended', unlanded: [name] } });
    const agent = await session(stage);
    return {
      name,
      sessions: [agent.sessionId],
      act: async (idempotencyKey, options) =>
        (await agent.with({ ...options }).resumeFeature({ projectId, slug: name }, { idempotencyKey })).fence,
      isDone: ({ feature, claims }) =>
        feature?.heldBy === agent.sessionId && feature.fence !== null && feature.fence > before.fence && claims.length === 3,
    };
  },

  async force(stage) {
    const { lead, projectId, name } = stage;
    const { agent, fence } = await held(stage);
    return {
      name,
      sessions: [agent.sessionId],
      act: async (idempotencyKey, options) =>
        (
          await lead
            .with({ ...options })
            .forceReleaseFeature({ projectId, slug: name, body: { fence, reason: 'It is urgent.' } }, { idempotencyKey })
        ).status,
      isDone: ({ feature, claims }) => feature?.status === 'ready' && feature.interrupted && claims.length === 0,
    };
  },

  async claim(stage) {
    const { projectId, name } = stage;
    const agent = await session(stage);
    return {
      name,
      sessions: [agent.sessionId],
      act: (idempotencyKey, options) =>
        agent.with({ ...options }).claim({ projectId, body: { paths: touchesOf(name) } }, { idempotencyKey }),
      isDone: ({ claims }) => claims.length === 3 && new Set(claims.map(({ fence }) => fence)).size === 1,
    };
  },

  async unclaim(stage) {
    const { projectId, name } = stage;
    const agent = await session(stage);
    await agent.claim({ projectId, body: { paths: [...touchesOf(name), `${name}/kept.ts`] } });
    return {
      name,
      sessions: [agent.sessionId],
      // Not a POST, so it has no key: giving back what is given back changes nothing.
      act: async (_, options) => (await agent.with({ ...options }).releaseClaims({ projectId, body: { paths: touchesOf(name) } })).paths,
      isDone: ({ claims }) => claims.length === 1,
    };
  },

  async update(stage) {
    const { projectId, name } = stage;
    const { agent, fence } = await held(stage);
    return {
      name,
      sessions: [agent.sessionId],
      act: async (_, options) =>
        (
          await agent
            .with({ ...options })
            .updateFeature({ projectId, slug: name, body: { touches: [`${name}/a.ts`, `${name}/new.ts`], fence } })
        ).touches,
      isDone: ({ feature, claims }) => feature?.touches.length === 2 && feature.fence === fence && claims.length === 2,
    };
  },

  async wait(stage) {
    const { projectId, name } = stage;
    const { agent, sessions } = await wanted(stage);
    return {
      name,
      sessions,
      act: async (idempotencyKey, options) =>
        (await agent.with({ ...options }).joinQueue({ projectId, body: { paths: [`${name}/b/`] } }, { idempotencyKey })).id,
      isDone: ({ waiting, claims }) => waiting.length === 1 && claims.length === 3,
    };
  },

  async alloc(stage) {
    const { projectId, name } = stage;
    const agent = await session(stage);
    return {
      name,
      sessions: [agent.sessionId],
      act: async (idempotencyKey, options) =>
        (await agent.with({ ...options }).allocate({ projectId, body: { kind: 'port' } }, { idempotencyKey })).number,
      isDone: ({ claims }) => claims.length === 1,
    };
  },

  async checkpoint(stage) {
    const { lead, projectId, name } = stage;
    const { agent, fence } = await held(stage);
    const { id: featureId } = await lead.getFeature({ projectId, slug: name });
    const body = { sessionId: agent.sessionId, featureId, fence, notes: 'Half way.' };
    return {
      name,
      sessions: [agent.sessionId],
      act: async (idempotencyKey, options) =>
        (await agent.with({ ...options }).saveCheckpoint({ projectId, body }, { idempotencyKey }))?.id,
      isDone: ({ checkpoint, claims }) => checkpoint !== null && claims.length === 3,
    };
  },

  async offer(stage) {
    const { projectId, name } = stage;
    const { agent, sessions } = await wanted(stage);
    return {
      name,
      sessions,
      act: async (idempotencyKey, options) =>
        (await agent.with({ ...options }).offerPatch({ projectId, body: { diff: diffOf(name) } }, { idempotencyKey })).id,
      isDone: ({ patches, claims }) => patches.length === 1 && patches[0]?.state === 'open' && claims.length === 3,
    };
  },

  async apply(stage) {
    const { projectId, name } = stage;
    const { holder, agent, sessions } = await wanted(stage);
    const { id: patchId } = await agent.offerPatch({ projectId, body: { diff: diffOf(name) } });
    return {
      name,
      sessions,
      act: async (idempotencyKey, options) =>
        (await holder.with({ ...options }).patchApplied({ projectId, patchId, body: {} }, { idempotencyKey })).state,
      isDone: ({ patches, claims }) => patches.length === 1 && patches[0]?.state === 'applied' && claims.length === 3,
    };
  },

  async open(stage) {
    const { lead, projectId, name } = stage;
    const body = { agent: name, agentSessionId: crypto.randomUUID(), keeper: true };
    return {
      name,
      sessions: [],
      act: async (idempotencyKey, options) => (await lead.with({ ...options }).openSession({ projectId, body }, { idempotencyKey })).id,
      isDone: ({ sessions }) => sessions.length === 1,
    };
  },
};
