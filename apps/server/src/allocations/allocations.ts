import { z } from 'zod';
import type { AllocateBody, Allocated, Allocation, AllocationsQuery } from '@nexus/contract';
import { type Claim, parseClaim } from '@nexus/paths';
import { type Claims, InTheWay, obstacles, openHolds, queueOf, requireFree, shrink } from '../claims/index.ts';
import type { Database } from '../engines/database/database.ts';
import type { Ledger } from '../ledger/index.ts';
import type { SessionActor } from '../platform/actor.ts';
import { decodeCursor, paged } from '../platform/cursor.ts';
import { AppError } from '../platform/errors.ts';
import type { Rules } from '../projects/index.ts';
import { requireLive } from '../sessions/index.ts';
import {
  type AllocationRow,
  allocationsBefore,
  type HeldPort,
  heldPorts,
  insertAllocation,
  lastNumber,
  machineOf,
  portOf,
} from './allocations.store.ts';

export type Allocations = ReturnType<typeof createAllocations>;

type Needs = { database: Database; ledger: Ledger; claims: Claims; rules: (projectId: string) => Promise<Rules> };
type Asked<Kind> = Extract<z.output<typeof AllocateBody>, { kind: Kind }>;

/** What nobody else has: chosen, claimed and written down in one commit under the project's lock. */
export function createAllocations({ database, ledger, claims, rules }: Needs) {
  /**
   * The lowest free port of the range, claimed for the session's ad hoc hold. A port number is a thing of one machine, so
   * each machine has its own, unless it is asked for as shared or the client names no machine. Once more under the same
   * name is the same port, unless it is excluded or out of the range now: then that one is given back.
   */
  async function port(actor: SessionActor, asked: Asked<'port'>): Promise<Allocated> {
    const { projectId, session } = actor;
    const own = await rules(projectId);
    const machine = asked.shared ? null : (asked.machine ?? (await sessionMachine(session.id)));
    const excluded = new Set(asked.exclude);
    const fits = (number: number) => number >= asked.from && number <= asked.to && !excluded.has(number);
    return claims.attempt(projectId, () =>
      ledger.change(actor, 'alloc', async (tx, at) => {
        await requireLive(tx, session);
        const before = await portOf(tx, session.id, asked.name, machine);
        if (before && fits(before.number)) return { ...view(before), fresh: false };
        const [held, queue] = await Promise.all([heldPorts(tx, projectId), queueOf(tx, projectId, own)]);
        const waitedFor = queue.flatMap(({ claims: wanted }) => wanted.map(({ node }) => node));
        const taken = takenOn(machine, [...held.map(({ node }) => node), ...waitedFor]);
        const number = firstFree(asked.from, asked.to, (one) => fits(one) && !taken.has(one));
        if (number === undefined) throw exhausted(asked, held);
        const wanted = resource(`port/${number}`, machine);
        const [hold] = await openHolds(tx, projectId, { session: session.id, adHoc: true });
        const got = await claims.take(tx, at, actor, { hold, queue, wanted: [wanted] });
        if (hold && before?.node) {
          const paths = await shrink(tx, at, hold, [before.node]);
          at.emit({ type: 'files_released', data: { paths, fence: hold.fence } });
        }
        const id = Bun.randomUUIDv7();
        const { node, display } = wanted;
        const claim = { holdId: got.id, node, display, machine, ver: at.version() };
        at.write(insertAllocation(tx, { id, projectId, kind: 'port', name: asked.name, number, sessionId: session.id, claim }));
        at.emit({ type: 'resource_allocated', data: { kind: 'port', name: asked.name, number, resource: display, fence: got.fence } });
        return given(actor, { id, kind: 'port', name: asked.name, number, resource: display, fence: got.fence, at: at.now, state: 'held' });
      }),
    );
  }

  /** The next number of a counter: never given again, whatever becomes of who got it. Whoever claims the counter has it alone. */
  async function number(actor: SessionActor, { name, startAt }: Asked<'number'>): Promise<Allocated> {
    const { projectId, session } = actor;
    return claims.attempt(projectId, () =>
      ledger.change(actor, 'alloc', async (tx, at) => {
        await requireLive(tx, session);
        const [last, inWay] = await Promise.all([
          lastNumber(tx, projectId, name),
          obstacles(tx, projectId, [resource(`number/${name}`, null)], session.lineage),
        ]);
        requireFree(inWay);
        const next = last === undefined ? (startAt ?? 1) : Math.max(last + 1, startAt ?? 0);
        const id = Bun.randomUUIDv7();
        at.write(insertAllocation(tx, { id, projectId, kind: 'number', name, number: next, sessionId: session.id }));
        at.emit({ type: 'resource_allocated', data: { kind: 'number', name, number: next } });
        return given(actor, { id, kind: 'number', name, number: next, resource: null, fence: null, at: at.now, state: 'given' });
      }),
    );
  }

  async function list(projectId: string, { cursor, ...query }: z.output<typeof AllocationsQuery>) {
    const before = cursor === undefined ? undefined : decodeCursor(cursor, z.uuid());
    const found = await allocationsBefore(database.db, projectId, { ...query, limit: query.limit + 1 }, before);
    return paged(found.map(view), query.limit, ({ id }) => id);
  }

  /** A name that is none of a resource says nothing. */
  async function sessionMachine(sessionId: string): Promise<string | null> {
    const name = (await machineOf(database.db, sessionId))?.toLowerCase();
    return name !== undefined && parseClaim(`res:port/1@${name}`).ok ? name : null;
  }

  return { port, number, list };
}

function resource(name: string, machine: string | null): Claim {
  const parsed = parseClaim(`res:${name}${machine === null ? '' : `@${machine}`}`);
  if (!parsed.ok) throw new AppError('VALIDATION_ERROR', parsed.message);
  return parsed.claim;
}

/** Ports that are in somebody's hands there: those of all machines, and those of this one; for one of all machines, those of any. */
function takenOn(machine: string | null, nodes: string[]): Set<number> {
  return new Set(
    nodes.flatMap((node) => {
      const [, port, on] = /^res:port:(\d{1,5})(?:\/@(.+))?$/.exec(node) ?? [];
      return port !== undefined && (machine === null || on === undefined || on === machine) ? [Number(port)] : [];
    }),
  );
}

function firstFree(from: number, to: number, isFree: (number: number) => boolean): number | undefined {
  for (let number = from; number <= to; number += 1) if (isFree(number)) return number;
  return undefined;
}

/** Some that hold one may be dead: then they are lost, and it is tried again. */
const exhausted = ({ from, to, exclude }: Asked<'port'>, held: HeldPort[]) =>
  new InTheWay(
    held,
    () =>
      new AppError(
        'RANGE_EXHAUSTED',
        `No port of ${from} to ${to} is free. Nothing was allocated. Ask for another range, or free one (\`nexus alloc free\`).`,
        {
          details: {
            from,
            to,
            excluded: exclude.length,
            held: held.slice(0, 50).map(({ display, sessionId, engineerName, agent, featureSlug }) => ({
              resource: display,
              sessionId,
              engineerName,
              agent,
              featureSlug,
            })),
          },
        },
      ),
  );

const view = ({ node: _node, machine: _machine, ...row }: AllocationRow): Allocation => row;

const given = (
  { session }: SessionActor,
  allocation: Omit<Allocation, 'sessionId' | 'engineerId' | 'engineerName' | 'agent'>,
): Allocated => ({
  ...allocation,
  sessionId: session.id,
  engineerId: session.engineerId,
  engineerName: session.engineerName,
  agent: session.agent,
  fresh: true,
});
