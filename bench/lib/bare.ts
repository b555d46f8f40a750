import { Hono } from 'hono';
import { createMemoryLeases } from '../../apps/server/src/engines/leases/memory.ts';
import { createRedisLeases } from '../../apps/server/src/engines/leases/redis.ts';
import type { ClaimRequest, IndexSnapshot } from '../../apps/server/src/engines/leases/leases.ts';

/**
 * The lease store behind nothing but a route: no key, no rights, no validation. BARE_INPUT names a file with a
 * `BareInput`; REDIS_URL chooses the store. Prints `bare at <url>`.
 */
export type BareInput = { project: string; snapshot: IndexSnapshot };

const times = { graceMs: 15_000, maxStepMs: 5000 };
const redisUrl = process.env['REDIS_URL'];
const input = JSON.parse(await Bun.file(process.env['BARE_INPUT'] ?? '').text()) as BareInput;
const leases = redisUrl ? await createRedisLeases({ url: redisUrl, ...times }) : createMemoryLeases(times);
await leases.load(input.project, { ledger: crypto.randomUUID(), ver: 1 }, input.snapshot);

const app = new Hono();
app.post('/check', async (c) => {
  const { claims, lineage } = await c.req.json<{ claims: ClaimRequest[]; lineage: string[] }>();
  return c.json({ data: await leases.check(input.project, claims, lineage) });
});
app.post('/beat', async (c) => {
  const { session } = await c.req.json<{ session: string }>();
  return c.json({ data: await leases.beat(input.project, [session]) });
});
const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: app.fetch });
console.log(`bare at http://127.0.0.1:${server.port}`);
