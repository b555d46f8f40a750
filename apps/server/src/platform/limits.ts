import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { RateClass, Route } from '@nexus/contract';
import { AppError } from './errors.ts';

export type Limits = Record<RateClass, number> & { authFailures: number };

const MINUTE = 60;

/**
 * So many a minute, each class apart; by key, and by address where there is no key yet. Counted in this process: with
 * several replicas a caller gets each one's share, which costs no round trip on every heartbeat. 0 switches a limit off.
 */
export function createLimits(limits: Limits) {
  const limiters = new Map<string, RateLimiterMemory>();
  for (const [name, points] of Object.entries(limits))
    if (points > 0) limiters.set(name, new RateLimiterMemory({ points, duration: MINUTE }));

  const who = (keyId: string | undefined, ip: () => string) => keyId ?? `ip ${network(ip())}`;

  /** Counts a request; answers the headers that tell what is left. Throws RATE_LIMITED. */
  async function take({ rate }: Route, keyId: string | undefined, ip: () => string): Promise<Record<string, string>> {
    const limiter = limiters.get(rate);
    if (!limiter) return {};
    try {
      const left = await limiter.consume(who(keyId, ip));
      return headers(rate, limiter.points, left);
    } catch (error) {
      if (error instanceof RateLimiterRes) throw tooMany(rate, headers(rate, limiter.points, error), error);
      throw error;
    }
  }

  /** An address that keeps presenting bad keys is refused before any more work is done for it. */
  async function refuseAfterFailures(ip: string): Promise<void> {
    const limiter = limiters.get('authFailures');
    const state = await limiter?.get(network(ip));
    if (limiter && state && state.consumedPoints >= limiter.points) throw tooMany('authFailures', {}, state);
  }

  async function failed(ip: string): Promise<void> {
    await limiters
      .get('authFailures')
      ?.consume(network(ip))
      .catch(() => undefined);
  }

  return { take, refuseAfterFailures, failed };
}

const seconds = (res: RateLimiterRes) => Math.max(1, Math.ceil(res.msBeforeNext / 1000));

/** IETF draft-ietf-httpapi-ratelimit-headers. */
const headers = (name: string, points: number, res: RateLimiterRes) => ({
  'ratelimit-policy': `"${name}";q=${points};w=${MINUTE}`,
  ratelimit: `"${name}";r=${Math.max(0, res.remainingPoints)};t=${seconds(res)}`,
});

const tooMany = (name: string, extra: Record<string, string>, res: RateLimiterRes) =>
  new AppError(
    'RATE_LIMITED',
    `Too many requests (${name}). Try again in ${seconds(res)} s; the server's LIMIT_* settings say how many it takes.`,
    {
      headers: { ...extra, 'retry-after': String(seconds(res)) },
    },
  );

/** One household has a whole IPv6 /64. */
const network = (ip: string) => (ip.includes(':') && !ip.startsWith('::ffff:') ? ip.split(':').slice(0, 4).join(':') : ip);
