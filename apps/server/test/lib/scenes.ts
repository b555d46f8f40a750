import type { Client } from '@nexus/client';
import { readyFeature, terminal } from '../harness.ts';

export const verbs = ['pick', 'done', 'release', 'cancel', 'resume', 'force', 'claim', 'unclaim', 'update', 'open', 'end', 'lose'] as const;
export type Verb = (typeof verbs)[number];

export type State = Awaited<ReturnType<typeof stateOf>>;
export type Scene = {
  projectId: string;
  /** Whom to beat for, as long as they are to live. */
  sessions: string[];
  /** The verb, under this idempotency key; answers what a retry must answer alike. */
  act: (key: string, options?: { retries: number }) => Promise<unknown>;
  isDone: (state: State) => boolean;
};

type Stage = { lead: Client; projectId: string };

/** What the verbs change: who holds what, which features are where, who is alive. */
export async function stateOf(lead: Client, { projectId }: { projectId: string }) {
  const [features, claims, sessions, page] = await Promise.all([
    lead.listFeatures({ projectId, query: { limit: 100 } }),
    lead.listClaims({ projectId }),
    lead.activeSessions({ projectId }),
    lead.events({ projectId, query: { after: '0', limit: 1000 } }),
  ]);
  return {
    features: features.items.map(({ slug, status, fence, heldBy, touches, interrupted }) => ({ slug, status, fence, heldBy: heldBy?.sessionId ?? null, touches, interrupted })),
    claims: claims.map(({ filePath, sessionId, fence, parked }) => ({ filePath, sessionId, fence, parked })),
    sessions: sessions.map(({ session }) => session.id).sort(),
    events: page.items.length,
  };
}

const slug = 'work';
const touches = ['src/a.ts', 'src/b/', 'ro:docs/'];

/** One feature, held by one session. */
async function held({ lead, projectId }: Stage) {
  const agent = await terminal(lead, projectId, { keeper: true });
  await readyFeature(lead, projectId, slug, touches);
  const { fence } = await agent.pickFeature({ projectId, slug });
  return { agent, fence: fence ?? 0 };
}

/** A verb that ends the hold of the feature and moves it on. */
const ending = (name: 'doneFeature' | 'releaseFeature' | 'cancelFeature', status: string) => async (stage: Stage): Promise<Scene> => {
  const { projectId } = stage;
  const { agent, fence } = await held(stage);
  return {
    projectId,
    sessions: [agent.sessionId],
    act: async (idempotencyKey, options) => (await agent.with({ ...options })[name]({ projectId, slug, body: { fence } }, { idempotencyKey })).status,
    isDone: ({ features, claims }) => features[0]?.status === status && features[0].fence === null && claims.length === 0,
  };
};

/** Its session leaves: with good bye, or seen to be dead. */
const leaving = (reason: 'ended' | 'died') => async (stage: Stage): Promise<Scene> => {
  const { lead, projectId } = stage;
  const { agent } = await held(stage);
  await agent.claim({ projectId, body: { paths: ['extra.ts'] } });
  const { id: child } = await lead.openSession({ projectId, body: { agent: 'claude', agentSessionId: crypto.randomUUID(), parentId: agent.sessionId, keeper: true } });
  return {
    projectId,
    sessions: [agent.sessionId, child],
    act: async (idempotencyKey, options) => (await lead.with({ ...options }).endSession({ projectId, sessionId: agent.sessionId, body: { reason } }, { idempotencyKey })).status,
    isDone: ({ features, claims, sessions }) => features[0]?.status === 'ready' && features[0].interrupted === (reason === 'died') && claims.length === 0 && sessions.length === 0,
  };
};

/** For each verb that changes who holds what: a project in which it is about to happen. */
export const scenes: Record<Verb, (stage: Stage) => Promise<Scene>> = {
  done: ending('doneFeature', 'done'),
  release: ending('releaseFeature', 'ready'),
  cancel: ending('cancelFeature', 'cancelled'),
  end: leaving('ended'),
  lose: leaving('died'),

  async pick({ lead, projectId }) {
    const agent = await terminal(lead, projectId, { keeper: true });
    await readyFeature(lead, projectId, slug, touches);
    return {
      projectId,
      sessions: [agent.sessionId],
      act: async (idempotencyKey, options) => (await agent.with({ ...options }).pickFeature({ projectId, slug }, { idempotencyKey })).fence,
      isDone: ({ features, claims }) => features[0]?.heldBy === agent.sessionId && features[0].fence === 1 && claims.length === 3,
    };
  },

  async resume(stage) {
    const { lead, projectId } = stage;
    const before = await held(stage);
    await lead.endSession({ projectId, sessionId: before.agent.sessionId, body: { reason: 'ended', unlanded: [slug] } });
    const agent = await terminal(lead, projectId, { keeper: true });
    return {
      projectId,
      sessions: [agent.sessionId],
      act: async (idempotencyKey, options) => (await agent.with({ ...options }).resumeFeature({ projectId, slug }, { idempotencyKey })).fence,
      isDone: ({ features, claims }) => features[0]?.heldBy === agent.sessionId && features[0].fence === before.fence + 1 && claims.length === 3,
    };
  },

  async force(stage) {
    const { lead, projectId } = stage;
    const { agent, fence } = await held(stage);
    return {
      projectId,
      sessions: [agent.sessionId],
      act: async (idempotencyKey, options) =>
        (await lead.with({ ...options }).forceReleaseFeature({ projectId, slug, body: { fence, reason: 'It is urgent.' } }, { idempotencyKey })).status,
      isDone: ({ features, claims }) => features[0]?.status === 'ready' && features[0].interrupted && claims.length === 0,
    };
  },

  async claim({ lead, projectId }) {
    const agent = await terminal(lead, projectId, { keeper: true });
    return {
      projectId,
      sessions: [agent.sessionId],
      act: (idempotencyKey, options) => agent.with({ ...options }).claim({ projectId, body: { paths: touches } }, { idempotencyKey }),
      isDone: ({ claims }) => claims.length === 3 && claims.every(({ fence }) => fence === 1),
    };
  },

  async unclaim({ lead, projectId }) {
    const agent = await terminal(lead, projectId, { keeper: true });
    await agent.claim({ projectId, body: { paths: [...touches, 'kept.ts'] } });
    return {
      projectId,
      sessions: [agent.sessionId],
      // Not a POST, so it has no key: giving back what is given back changes nothing.
      act: async (_, options) => (await agent.with({ ...options }).releaseClaims({ projectId, body: { paths: touches } })).paths,
      isDone: ({ claims }) => claims.length === 1,
    };
  },

  async update(stage) {
    const { projectId } = stage;
    const { agent, fence } = await held(stage);
    return {
      projectId,
      sessions: [agent.sessionId],
      act: async (_, options) => (await agent.with({ ...options }).updateFeature({ projectId, slug, body: { touches: ['src/a.ts', 'new.ts'], fence } })).touches,
      isDone: ({ features, claims }) => features[0]?.touches.length === 2 && features[0].fence === fence && claims.length === 2,
    };
  },

  async open({ lead, projectId }) {
    const body = { agent: 'claude', agentSessionId: crypto.randomUUID(), keeper: true };
    return {
      projectId,
      sessions: [],
      act: async (idempotencyKey, options) => (await lead.with({ ...options }).openSession({ projectId, body }, { idempotencyKey })).id,
      isDone: ({ sessions }) => sessions.length === 1,
    };
  },
};
