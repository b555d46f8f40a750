import { type z } from 'zod';
import { connectRedis, firstAttempt, primariesOf } from '../redis.ts';
import { decodeBeat, decodeConflict, encodeChanges, encodeSnapshot, replies } from './codec.ts';
import { type ClaimRequest, LeaseStoreUnavailable, MAX_COMPARED, MAX_CONFLICTS, type LeaseStore, type LeaseTimes } from './leases.ts';
import { compareBytes, firstConflicts } from './order.ts';
import { takesIn } from './patterns.ts';
import { defineScripts, type ScriptName } from './scripts.ts';

/**
 * The leases in Redis 7.0 or later, shared by all replicas of the server. Starts without Redis as well, and is of use once it
 * is there. Throws at the start when Redis may evict keys; later, that makes every call throw `LeaseStoreUnavailable`.
 */
export async function createRedisLeases({
  url,
  graceMs,
  maxStepMs,
  onWarning = () => {},
}: LeaseTimes & { url: string; onWarning?: (message: string) => void }): Promise<LeaseStore> {
  const redis = connectRedis({ url, onError: (error) => onWarning(`Redis: ${error.message}`) });
  const run = defineScripts(redis);
  /** The highest clock seen per project: a lower one later is a Redis that was set back. */
  const seen = new Map<string, number>();
  let refusal: string | undefined;

  async function inspect() {
    try {
      const infos = await Promise.all(primariesOf(redis).map((node) => node.info('memory')));
      const policy = infos.map((info) => /maxmemory_policy:(\S+)/.exec(info)?.[1]).find((found) => found !== 'noeviction');
      refusal = policy && `Redis has maxmemory-policy ${policy} and may drop leases under memory pressure: set it to noeviction`;
      if (refusal) onWarning(refusal);
    } catch (error) {
      if (isReply(error, 'NOPERM')) onWarning('Redis does not permit INFO: neither its eviction policy nor its restarts can be seen');
    }
  }

  await firstAttempt(redis);
  await inspect();
  if (refusal) {
    redis.disconnect();
    throw new Error(refusal);
  }
  redis.on('ready', () => void inspect());

  /** Null when there is no index. */
  async function call<Name extends ScriptName>(name: Name, project: string, args: Array<string | number>) {
    if (refusal) throw new LeaseStoreUnavailable(refusal);
    const answer = await run(name, project, [seen.get(project) ?? 0, ...args]).catch((error: unknown) => {
      // A script that fails for its own reasons is a mistake of ours, not an outage.
      if (isReply(error, 'ERR ') || isReply(error, 'WRONGTYPE')) throw error;
      throw new LeaseStoreUnavailable('Redis cannot be reached', { cause: error });
    });
    if (answer === null) return null;
    const read = replies[name].safeParse(answer);
    if (read.success) return read.data as z.infer<(typeof replies)[Name]>;
    // Half of it is of another time, as after a restore that was no snapshot: the ledger serves, and the index is loaded anew.
    onWarning(`Redis: the index of project ${project} does not fit together (${name})`);
    throw new LeaseStoreUnavailable('The index in Redis cannot be read', { cause: read.error });
  }

  /** For the scripts that answer the clock first. */
  async function callAndSee<Name extends Exclude<ScriptName, 'check'>>(name: Name, project: string, ...args: Array<string | number>) {
    const answer = await call(name, project, args);
    if (answer) seen.set(project, Math.max(seen.get(project) ?? 0, answer[0]));
    return answer;
  }

  return {
    async version(project) {
      const answer = await callAndSee('version', project);
      return answer && { ledger: answer[1], ver: answer[2] };
    },

    async apply(project, from, to, changes) {
      return (await callAndSee('apply', project, maxStepMs, from.ledger, from.ver, to, encodeChanges(changes))) !== null;
    },

    async load(project, at, snapshot, { refresh = false } = {}) {
      const answer = await callAndSee('load', project, maxStepMs, at.ledger, at.ver, refresh ? 1 : '', encodeSnapshot(snapshot));
      return answer?.[1] === 1;
    },

    async check(project, claims, lineage) {
      const own = [...new Set(lineage)];
      const wanted = claims.flatMap(({ mode, node }) => [mode, node]);
      const answer = await call('check', project, [MAX_CONFLICTS, MAX_COMPARED, own.length, ...own, ...wanted]);
      return (
        answer && {
          conflicts: firstConflicts(answer[0].flatMap((row) => decodeConflict(claims, row))),
          covered: claims.map((wanted, position) => isCovered(answer[1][position] ?? [], wanted)),
        }
      );
    },

    async open(project, session, ttlMs) {
      const answer = await callAndSee('open', project, maxStepMs, session, ttlMs);
      return answer?.[1] !== 0;
    },

    async beat(project, sessions, { keepLost = false } = {}) {
      if (sessions.length === 0) return [];
      const [, ...answers] = (await callAndSee('beat', project, maxStepMs, keepLost ? 1 : '', ...sessions)) ?? [0];
      return sessions.map((session, i) => decodeBeat(session, answers[i]));
    },

    async stale(project) {
      const [, late, condemned] = (await callAndSee('stale', project, maxStepMs, graceMs)) ?? [0, [], []];
      return [...late, ...condemned].sort(compareBytes);
    },

    async condemn(project, session, { dead = false } = {}) {
      const answer = await callAndSee('condemn', project, maxStepMs, graceMs, session, dead ? 1 : '');
      return answer?.[1] ?? 'alive';
    },

    async list(project) {
      const [clk, flat] = (await callAndSee('list', project, maxStepMs)) ?? [0, []];
      return Array.from({ length: flat.length / 2 }, (_, i) => ({
        session: flat[2 * i] ?? '',
        msLeft: Number(flat[2 * i + 1]) - clk,
      })).sort((a, b) => compareBytes(a.session, b.session));
    },

    async ping() {
      if (refusal) throw new LeaseStoreUnavailable(refusal);
      await redis.ping().catch((error: unknown) => {
        throw new LeaseStoreUnavailable('Redis cannot be reached', { cause: error });
      });
    },

    async close() {
      redis.disconnect();
    },
  };
}

const isCovered = (answer: 1 | string[], wanted: ClaimRequest) => answer === 1 || answer.some((glob) => takesIn(glob, wanted));

const isReply = (error: unknown, start: string) => error instanceof Error && error.name === 'ReplyError' && error.message.startsWith(start);
