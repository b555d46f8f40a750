import type { Entry } from '../../test/lib/workload.ts';
import type { Deps } from '../../src/deps.ts';
import type { Actor, Principal, SessionActor } from '../../src/platform/actor.ts';
import { AppError, isDatabaseAway } from '../../src/platform/errors.ts';
import { LeaseStoreUnavailable } from '../../src/engines/leases/leases.ts';
import type { Random } from '../lib/random.ts';
import type { Times } from './leases.ts';
import type { Being, Scheduler } from './scheduler.ts';
import type { SimulatedServer } from './server.ts';

export type World = {
  scheduler: Scheduler;
  random: Random;
  times: Times;
  servers: SimulatedServer[];
  projectId: string;
  person: Principal;
  slugs: string[];
  /** Chance that a request, or its answer, is lost on the way, or comes twice. */
  loss: () => number;
  history: Entry[];
  over: () => boolean;
  broken: (what: string) => void;
};

/** Virtual milliseconds that an agent waits for an answer. */
const PATIENCE = 1500;
const TIMED_OUT = new Error('No answer in time.');

/** A refusal the agent was told of, or undefined: it heard nothing, and the same call may be said again. */
type Heard<T> = { answer: T } | { refusal: AppError } | undefined;

/**
 * An agent that picks, claims, gives back and beats, and says each call again with its key until it hears an answer. A
 * `steady` one beats all the time; the others fall silent for longer than a lease now and then, and then go on regardless.
 */
export async function runAgent(world: World, number: number, steady: boolean): Promise<void> {
  const { scheduler, random, times, servers, projectId, person } = world;
  const being: Being = { name: `agent ${number}`, alive: true };

  async function attempt<T>(server: SimulatedServer, label: string, work: (deps: Deps) => Promise<T>): Promise<Heard<T>> {
    await scheduler.gate(being, `${label} →`, () => undefined);
    const deps = server.deps();
    if (!deps || random.chance(world.loss())) return undefined;
    try {
      const twice = random.chance(world.loss());
      if (twice) void Promise.race([work(deps), server.died()]).catch(() => undefined);
      const patience: Being = { name: being.name, alive: true };
      const late = scheduler.sleep(patience, PATIENCE).then(() => Promise.reject(TIMED_OUT));
      late.catch(() => undefined);
      const answer = await Promise.race([work(deps), server.died(), late]).finally(() => (patience.alive = false));
      await scheduler.gate(being, `← ${label}`, () => undefined);
      return random.chance(world.loss()) ? undefined : { answer };
    } catch (error) {
      if (error instanceof AppError) return error.status === 503 ? undefined : { refusal: error };
      const silent = error === TIMED_OUT || error instanceof LeaseStoreUnavailable || isDatabaseAway(error);
      if (!silent && server.deps() === deps) world.broken(`${label} answered 500: ${error instanceof Error ? error.stack : String(error)}`);
      return undefined;
    }
  }

  /** At whichever server, until there is an answer. */
  async function insist<T>(label: string, work: (deps: Deps) => Promise<T>): Promise<Heard<T>> {
    while (!world.over()) {
      const heard = await attempt(random.pick(servers), label, work);
      if (heard && !('refusal' in heard && heard.refusal.code === 'REQUEST_IN_PROGRESS')) return heard;
      await scheduler.sleep(being, 50 + random.below(200));
    }
    return undefined;
  }

  const actorOf = (label: string): Actor => ({
    ...person,
    projectId,
    role: 'member',
    session: undefined,
    requestId: `${being.name} ${label}`,
    idempotency: { key: `${being.name} ${projectId} ${scheduler.steps()} ${random.below(1_000_000)}`, fingerprint: label },
  });

  /** One life: a session from its opening to its end. */
  async function live(): Promise<void> {
    const agentSessionId = `${being.name} ${scheduler.steps()}`;
    let asked = scheduler.now();
    const opened = await insist('open', (deps) => {
      asked = scheduler.now();
      return deps.sessions.open(actorOf('open'), { agent: 'agent', agentSessionId, keeper: true });
    });
    if (!opened || 'refusal' in opened) return;
    const session = opened.answer.ref;
    const life = { over: false, silentUntil: 0, lastTry: asked, greatestGap: 0 };

    async function beating() {
      while (!life.over && !world.over()) {
        if (scheduler.now() >= life.silentUntil) {
          life.greatestGap = Math.max(life.greatestGap, scheduler.now() - life.lastTry);
          life.lastTry = scheduler.now();
          // Each server in turn until one answers, as a client behind a balancer does.
          for (const server of random.shuffled(servers)) {
            const heard = await attempt(server, 'beat', (deps) => deps.sessions.heartbeat({ ...person, projectId }, session.id));
            if (heard && 'refusal' in heard) lost(heard.refusal);
            if (heard) break;
          }
        }
        await scheduler.sleep(being, times.ttlMs / 5);
      }
    }

    function lost(refusal: AppError) {
      if (refusal.code !== 'SESSION_LOST') return;
      life.over = true;
      const gap = Math.max(life.greatestGap, scheduler.now() - life.lastTry);
      if (steady && gap <= times.ttlMs - 500) world.broken(`${being.name} tried to beat every ${gap} ms and was lost`);
    }

    async function say<T extends { slug?: string; fence: number | null }>(
      verb: Entry['verb'] | 'claim',
      slug: string | null,
      fence: number | null,
      work: (deps: Deps, actor: SessionActor) => Promise<T>,
    ): Promise<T | undefined> {
      const actor: SessionActor = { ...actorOf(`${verb} ${slug} ${fence}`), session };
      const heard = await insist(verb, (deps) => work(deps, actor));
      const answer = heard && 'answer' in heard ? heard.answer : undefined;
      const refusal = heard && 'refusal' in heard ? heard.refusal : undefined;
      if (refusal) lost(refusal);
      if (verb !== 'claim') {
        const outcome = answer ? 'ok' : refusal ? 'refused' : 'unknown';
        world.history.push({
          agent: number,
          session: session.id,
          verb,
          slug: answer?.slug ?? slug,
          fence: answer?.fence ?? fence,
          outcome,
        });
      }
      return answer;
    }

    const beats = beating();
    while (!life.over && !world.over()) {
      const slug = random.chance(0.5) ? null : random.pick(world.slugs);
      const picked = await say('pick', slug, null, (deps, actor) => (slug ? deps.pick.one(actor, slug) : deps.pick.next(actor, undefined)));
      await scheduler.sleep(being, random.below(400));
      if (!picked) continue;
      const fence = picked.fence ?? 0;
      if (!steady && random.chance(0.15)) {
        life.silentUntil = scheduler.now() + times.ttlMs + times.graceMs + 500 + random.below(4000);
        await scheduler.sleep(being, life.silentUntil - scheduler.now());
      }
      if (random.chance(0.3)) {
        const path = `extra/${random.below(6)}.ts`;
        await say('claim', path, fence, (deps, actor) => deps.claims.claim(actor, { paths: [path], fence }));
      }
      // A zombie's release names the fence it had, or none: then its session's hold is meant, and there is none.
      const named = random.chance(0.8) ? fence : undefined;
      await say('release', picked.slug, fence, (deps, actor) => deps.endings.release(actor, picked.slug, { fence: named }));
      if (random.chance(0.05)) life.over = true;
    }
    life.over = true;
    await beats;
    if (random.chance(0.5))
      await insist('end', (deps) =>
        deps.recovery.end({ ...actorOf('end'), idempotency: undefined }, session.id, { reason: 'ended', unlanded: [] }),
      );
  }

  while (!world.over()) {
    await live();
    await scheduler.sleep(being, 100 + random.below(500));
  }
}
