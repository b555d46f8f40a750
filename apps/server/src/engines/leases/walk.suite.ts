import { expect } from 'bun:test';
import { baseOf, type Claim, covers, isGlob, isWithin, overlaps } from '@nexus/paths';
import type { SuiteOutcome, SuiteRun } from '@nexus/paths/testing';
import fc from 'fast-check';
import {
  MAX_CONFLICTS,
  type ClaimMode,
  type ClaimRequest,
  type HoldEnd,
  type IndexChanges,
  type IndexedClaim,
  type IndexedHold,
} from './leases.ts';
import { suiteTimes, type LeaseRig } from './rig.suite.ts';

type Model = {
  ver: number;
  clk: number;
  sessions: Map<string, { ttlMs: number; deadline: number; condemned: boolean; lost: string[] }>;
  holds: Map<string, IndexedHold>;
  claims: Array<{ hold: string } & IndexedClaim>;
};

const ledger = 'walk';
const sessions = ['s0', 's1', 's1.1', 'σ'];
/** Neither ttl plus grace is a multiple of the clock's largest step, so the real time a walk takes decides nothing. */
const ttls = [23_000, 57_000];
const step = 10_000;

const session = fc.constantFrom(...sessions);
const lineage = fc.constantFrom<string[]>(['s0'], ['s1'], ['s1.1', 's1'], ['σ', 's0'], []);
const holdId = fc.constantFrom(...Array.from({ length: 8 }, (_, i) => `h${i}`));
const mode = fc.constantFrom<ClaimMode>('read', 'write');
const nodeOf = (...segments: string[]) =>
  fc.array(fc.constantFrom(...segments), { maxLength: 4, size: 'max' }).map((all) => all.map((segment) => `/${segment}`).join(''));
/** As no path is read: it means the directory, a tree. */
const isTreeTail = (node: string) => /^[^*?]*(\/\*\*)+$/.test(node);
const node = fc.oneof(
  { weight: 4, arbitrary: nodeOf('a', 'b', 'a!', 'a.ts', '\uff5e', '😀') },
  { weight: 1, arbitrary: fc.constantFrom('res:a', 'res:a/@b', 'res:a/@c', 'res:a:b', '/res:a') },
  { weight: 2, arbitrary: nodeOf('a', 'b', '**', '*', 'a*', '?', '*s').filter((each) => !isTreeTail(each)) },
);
const kind = fc.constantFrom('file' as const, 'tree' as const);
const claimed = fc.record({ hold: holdId, node, mode });
const few = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: 3, size: 'max' });

const changes: fc.Arbitrary<IndexChanges> = fc.record({
  claimsEnded: few(claimed),
  holdsEnded: few(fc.record({ id: holdId, as: fc.constantFrom<HoldEnd>('released', 'lost', 'forced', 'handed_over') })),
  sessionsClosed: fc.array(session, { maxLength: 1 }),
  sessionsOpened: few(fc.record({ id: session, ttlMs: fc.constantFrom(...ttls) })),
  holdsGranted: few(fc.record({ id: holdId, session, label: fc.constantFrom(null, 'slug'), fence: fc.nat() })),
  claimsGranted: few(fc.tuple(claimed, kind).map(([claim, as]) => ({ ...claim, display: as === 'tree' ? `${claim.node}/` : claim.node }))),
});

const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('apply' as const), changes, stale: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('check' as const), claims: few(fc.record({ node, mode, kind })), lineage }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('beat' as const), sessions: few(session) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('open' as const), session, ttlMs: fc.constantFrom(...ttls) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('condemn' as const), session, dead: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), steps: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leap' as const), ms: fc.constantFrom(3_600_000, -3_600_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('load' as const), behind: fc.integer({ min: -1, max: 1 }), refresh: fc.boolean() }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** Walks of up to 120 random operations, each answered by the engine as by a list of claims compared with each other. */
export async function walkSuite(rig: LeaseRig, { operations: wanted, seed }: SuiteRun): Promise<SuiteOutcome> {
  let walked = 0;
  const walk = fc.asyncProperty(fc.array(operation, { maxLength: 120, size: 'max' }), async (operations) => {
    walked += operations.length;
    const project = crypto.randomUUID();
    const model: Model = { ver: 0, clk: 0, sessions: new Map(), holds: new Map(), claims: [] };
    await rig.leases.load(project, { ledger, ver: 0 }, snapshotOf(model));
    for (const each of operations) await compare(rig, project, model, each);

    const everything = {
      ...empty,
      holdsEnded: [...model.holds.keys()].map((id) => ({ id, as: 'released' as const })),
      sessionsClosed: [...model.sessions.keys()],
    };
    expect(await rig.leases.apply(project, { ledger, ver: model.ver }, model.ver + 1, everything)).toBe(true);
    expect((await rig.leases.check(project, [{ node: '', mode: 'write' }], []))?.conflicts).toEqual([]);
    expect((await rig.leftovers?.(project)) ?? []).toEqual([]);
  });
  const { failed, errorInstance, counterexample } = await fc.check(walk, { numRuns: Math.ceil(wanted / meanWalk), seed });
  const what = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  return { operations: walked, violations: failed ? [`leases: ${what}: ${JSON.stringify(counterexample)} (seed ${seed})`] : [] };
}

const meanWalk = 60;

async function compare({ leases, passTime, leap }: LeaseRig, project: string, model: Model, operation: Operation) {
  switch (operation.do) {
    case 'apply': {
      const from = operation.stale ? model.ver - 1 : model.ver;
      expect(await leases.apply(project, { ledger, ver: from }, model.ver + 1, operation.changes)).toBe(!operation.stale);
      if (!operation.stale) applyTo(model, operation.changes);
      break;
    }
    case 'check': {
      const answer = await leases.check(project, operation.claims, operation.lineage);
      const text = answer?.conflicts.map((found) =>
        [found.claim, found.why, found.mode, found.node, found.hold.id, found.hold.session].join(' '),
      );
      expect(text).toEqual(conflictsIn(model, operation.claims, operation.lineage));
      expect(answer?.covered).toEqual(operation.claims.map((wanted) => isCovered(model, wanted, operation.lineage)));
      break;
    }
    case 'beat': {
      const answers = await leases.beat(project, operation.sessions);
      const texts = answers.map((beat) =>
        beat.state === 'ok'
          ? { ttlMs: beat.ttlMs, holds: beat.holds.map(({ id }) => id).sort(), lost: beat.lost.map(({ id, as }) => `${id} ${as}`).sort() }
          : beat.state,
      );
      expect(texts).toEqual(operation.sessions.map((id) => beatIn(model, id)));
      break;
    }
    case 'open':
      expect(await leases.open(project, operation.session, operation.ttlMs)).toBe(openIn(model, operation.session, operation.ttlMs));
      break;
    case 'condemn':
      expect(await leases.condemn(project, operation.session, { dead: operation.dead })).toBe(
        condemnIn(model, operation.session, operation.dead),
      );
      break;
    case 'wait':
      await passTime(project, operation.steps * step);
      model.clk += operation.steps * step;
      break;
    case 'leap':
      await leap(project, operation.ms);
      // Of a leap on, the logical clock takes one step; of one back, none.
      if (operation.ms > 0) model.clk += suiteTimes.maxStepMs;
      break;
    case 'load': {
      const at = model.ver - operation.behind;
      const acts = operation.behind < 0 || (operation.behind === 0 && operation.refresh);
      expect(await leases.load(project, { ledger, ver: at }, snapshotOf(model), { refresh: operation.refresh })).toBe(acts);
      if (!acts) break;
      model.ver = at;
      for (const open of model.sessions.values()) Object.assign(open, { condemned: false, deadline: model.clk + open.ttlMs });
    }
  }
  const stale = [...model.sessions].filter(([, one]) => one.condemned || isLate(model, one)).map(([id]) => id);
  expect(await leases.stale(project)).toEqual(stale.sort());
  expect(await leases.version(project)).toEqual({ ledger, ver: model.ver });
}

const empty: IndexChanges = {
  claimsEnded: [],
  holdsEnded: [],
  sessionsClosed: [],
  sessionsOpened: [],
  holdsGranted: [],
  claimsGranted: [],
};

const isLate = (model: Model, { deadline }: { deadline: number }) => model.clk > deadline + suiteTimes.graceMs;

const snapshotOf = ({ sessions: open, holds, claims }: Model) => ({
  sessionsOpened: [...open].map(([id, { ttlMs }]) => ({ id, ttlMs })),
  holdsGranted: [...holds.values()],
  claimsGranted: claims,
});

function applyTo(model: Model, all: IndexChanges) {
  type Key = { hold: string } & ClaimRequest;
  const same = (a: Key, b: Key) => a.hold === b.hold && a.node === b.node && a.mode === b.mode;
  model.ver += 1;
  model.claims = model.claims.filter((held) => !all.claimsEnded.some((ended) => same(held, ended)));
  for (const { id, as } of all.holdsEnded) {
    const hold = model.holds.get(id);
    if (!hold) continue;
    model.holds.delete(id);
    model.claims = model.claims.filter((held) => held.hold !== id);
    const holder = model.sessions.get(hold.session);
    if (as !== 'released' && holder && !holder.condemned) holder.lost.push(`${id} ${as}`);
  }
  for (const id of all.sessionsClosed) model.sessions.delete(id);
  for (const { id, ttlMs } of all.sessionsOpened) openIn(model, id, ttlMs);
  for (const hold of all.holdsGranted) if (!model.holds.has(hold.id)) model.holds.set(hold.id, hold);
  for (const claim of all.claimsGranted)
    if (model.holds.has(claim.hold) && !model.claims.some((held) => same(held, claim))) model.claims.push(claim);
}

function openIn(model: Model, id: string, ttlMs: number): boolean {
  const open = model.sessions.get(id);
  if (open?.condemned) return false;
  model.sessions.set(id, { ttlMs, deadline: model.clk + ttlMs, condemned: false, lost: open?.lost ?? [] });
  return true;
}

function beatIn(model: Model, id: string) {
  const open = model.sessions.get(id);
  if (!open) return 'unknown';
  if (open.condemned) return 'condemned';
  open.deadline = model.clk + open.ttlMs;
  const holds = [...model.holds.values()].filter((hold) => hold.session === id).map((hold) => hold.id);
  return { ttlMs: open.ttlMs, holds: holds.sort(), lost: open.lost.splice(0).sort() };
}

function condemnIn(model: Model, id: string, dead: boolean) {
  const open = model.sessions.get(id);
  if (!open) return 'unknown';
  if (open.condemned) return 'condemned';
  if (!dead && !isLate(model, open)) return 'alive';
  open.condemned = true;
  return 'done';
}

function conflictsIn(model: Model, wanted: ClaimRequest[], own: string[]): string[] {
  const found = wanted.flatMap((request, index) =>
    model.claims.flatMap(({ hold: id, node: at, mode: as, display }) => {
      const holder = model.holds.get(id)?.session ?? '';
      const why = relation({ node: at, display }, request);
      if (!why || own.includes(holder) || (as === 'read' && request.mode === 'read')) return [];
      const key = Buffer.concat([Buffer.of(index), ...[at, id, as].flatMap((part) => [Buffer.from(part), Buffer.of(0)])]);
      return [{ key, text: [index, why, as, at, id, holder].join(' ') }];
    }),
  );
  return found
    .sort((a, b) => Buffer.compare(a.key, b.key))
    .slice(0, MAX_CONFLICTS)
    .map(({ text }) => text);
}

/** Between paths by prefix alone; where a glob is among them, by where its base lies, and whether the two meet. */
function relation(held: Pick<IndexedClaim, 'node' | 'display'>, wanted: ClaimRequest) {
  const [place, base] = [baseOf(held.node), baseOf(wanted.node)];
  const meet = overlaps(areaOf(held), areaOf(wanted));
  if (isGlob(held.node)) {
    if (isWithin(place, base)) return isGlob(wanted.node) && !meet ? undefined : 'below';
    return isWithin(base, place) && meet ? 'glob' : undefined;
  }
  if (place === base) return 'same';
  if (isWithin(base, place)) return 'above';
  return isWithin(place, base) && (meet || !isGlob(wanted.node)) ? 'below' : undefined;
}

function isCovered(model: Model, wanted: ClaimRequest, lineage: string[]): boolean {
  return model.claims.some((held) => {
    if (!lineage.includes(model.holds.get(held.hold)?.session ?? '')) return false;
    if (held.mode === 'read' && wanted.mode === 'write') return false;
    if (isGlob(held.node)) return covers({ ...areaOf(held), mode: held.mode }, { ...areaOf(wanted), mode: wanted.mode });
    return isWithin(baseOf(wanted.node), held.node);
  });
}

function areaOf({ node: key, kind: as, display }: { node: string; kind?: Claim['kind']; display?: string }): Pick<Claim, 'node' | 'kind'> {
  if (isGlob(key)) return { node: key, kind: 'glob' };
  return { node: key, kind: as === 'tree' || display?.endsWith('/') ? 'tree' : 'file' };
}
