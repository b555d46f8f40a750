import { expect, test } from 'bun:test';
import type { Database } from '../engines/database/database.ts';
import { createMemoryLeases } from '../engines/leases/memory.ts';
import { notFound } from '../platform/errors.ts';
import { createHeartbeats } from './heartbeats.ts';
import { createRefs } from './refs.ts';
import type { SessionRow } from './sessions.store.ts';

const engineer = { id: 'ann', name: 'Ann', email: 'ann@example.org', role: 'engineer' as const };
const actor = { engineer, keyId: 'key', secret: 1, scopes: [], boundTo: null, projectId: 'p' };
const rowOf = (id: string) =>
  ({ id, projectId: 'p', engineerId: 'ann', engineerName: 'Ann', agent: 'claude', lineage: [id], ttlMs: 90_000 }) as SessionRow;

test('where the ledger hangs, a session that it must be asked for keeps no other waiting that beats in the same turn', async () => {
  const leases = createMemoryLeases({ graceMs: 15_000, maxStepMs: 5000 });
  const sessionsOpened = [{ id: 'known', ttlMs: 90_000 }];
  await leases.load('p', { ledger: 'l', ver: 1 }, { sessionsOpened, holdsGranted: [], claimsGranted: [] });
  const hanging = <T>() => new Promise<T>(() => undefined);
  const database = { db: { execute: () => hanging() } } as unknown as Database;
  const refs = createRefs({ database });
  for (const id of ['known', 'forgotten']) refs.toRef(rowOf(id));
  const { heartbeat } = createHeartbeats({
    database,
    leases,
    refs,
    bringUp: () => hanging(),
    storeWasAway: () => undefined,
    lose: () => hanging(),
    over: () => Promise.resolve(notFound()),
    news: () => Promise.resolve(() => ({ requests: [], messages: [], patches: [] })),
    dirty: () => Promise.resolve(),
  });
  let isAnswered = false;
  void heartbeat(actor, 'forgotten').then(() => (isAnswered = true));
  expect(await heartbeat(actor, 'known')).toMatchObject({ ok: true, leaseSeconds: 90, degraded: false });
  expect(isAnswered).toBe(false);
});
