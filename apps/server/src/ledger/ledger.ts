import { sql } from 'drizzle-orm';
import type { EventType } from '@nexus/contract';
import { type Database, type Queryable, rows } from '../engines/database/database.ts';
import type { IndexChanges } from '../engines/leases/leases.ts';
import type { Actor, Caller, Idempotency, SystemActor } from '../platform/actor.ts';
import { AppError, notFound } from '../platform/errors.ts';
import type { Failpoint } from '../platform/failpoints.ts';
import { createLanes } from '../platform/lanes.ts';

export type NewEvent = {
  type: EventType;
  feature?: { id: string; slug: string; title: string };
  data?: Record<string, unknown>;
  /** Whose session it concerns, where that is not the one who acts: a sweep that loses a session. */
  of?: { engineerId: string; engineerName: string; sessionId: string | null; agent: string | null };
};

/** What one transaction changes beside rows: numbers, events, and what the index must learn. */
export type Change = {
  projectId: string;
  /** The version that this change makes. Asking for it is what makes it one. */
  version: () => number;
  nextFence: () => number;
  /** The transaction's time, as its rows get it from `now()`. RFC 3339. */
  now: string;
  /** A write whose answer nobody needs: it travels with the others, and the commit waits for it. */
  write: (write: PromiseLike<unknown>) => void;
  emit: (event: NewEvent) => void;
  index: IndexChanges;
};

export type Committed = { projectId: string; ledgerId: string; from: number; to: number; index: IndexChanges; seq: number; events: number };

type LedgerRow = { ledgerId: string; fence: number; ver: number; eventSeq: number; now: string };

export const noChanges = (): IndexChanges => ({
  claimsEnded: [],
  holdsEnded: [],
  sessionsClosed: [],
  sessionsOpened: [],
  holdsGranted: [],
  claimsGranted: [],
});

export type Ledger = ReturnType<typeof createLedger>;

/**
 * The one door through which a project's state changes. Whoever holds the lock of the project's row is alone; rows,
 * events and the answer for a retry are one commit. A crash before the commit leaves nothing, after it only a late index.
 */
export function createLedger({
  database,
  failpoint,
  committed,
}: {
  database: Database;
  failpoint: Failpoint;
  /** Runs after each commit that changed something, before the caller is answered. Must not throw. */
  committed: (change: Committed) => Promise<void>;
}) {
  // Waiting for the row lock happens here, not on database connections that others need. A few may wait there: then the
  // next one's lock is granted the moment the last one commits, without a round trip in between.
  const inLane = createLanes({ width: database.kind === 'postgres' ? 3 : 1 });

  /** `verb` names the failpoints: `<verb>.locked`, `.written`, `.committed`, `.followed`. */
  const change = <T>(by: Actor | SystemActor, verb: string, work: (tx: Queryable, at: Change) => Promise<T> | T): Promise<T> =>
    readAndChange(by, verb, undefined, work);

  /** `read` is sent together with the lock and runs once that is granted: one round trip less under it. */
  async function readAndChange<T, R>(
    by: Actor | SystemActor,
    verb: string,
    read: ((tx: Queryable) => Promise<R>) | undefined,
    work: (tx: Queryable, at: Change, found: R) => Promise<T> | T,
  ): Promise<T> {
    const idempotency = 'system' in by ? undefined : by.idempotency;
    const done = await inLane(by.projectId, () =>
      database.transaction(async (tx) => {
        const [row, { isIn, answered }, found] = await Promise.all([
          lock(tx, by.projectId),
          'system' in by ? { isIn: true, answered: undefined } : standing(tx, by),
          outcomeOf(read?.(tx)),
        ]);
        // Whoever was removed since the request began is in no more.
        if (!row || !isIn) throw notFound();
        if (answered) return { result: answered.answer as T };
        if ('error' in found) throw found.error;
        failpoint(`${verb}.locked`);
        const { at, after } = start(by.projectId, row);
        const result = await work(tx, at, found.value as R);
        const { next, events, writes } = after();
        if (events.length > 0 || next.ver !== row.ver || next.fence !== row.fence) writes.push(write(tx, by, row, next, events));
        if (idempotency && !('system' in by)) writes.push(remember(tx, by, idempotency, result));
        await Promise.all(writes);
        failpoint(`${verb}.written`);
        return {
          result,
          change: {
            projectId: by.projectId,
            ledgerId: row.ledgerId,
            from: row.ver,
            to: next.ver,
            index: at.index,
            seq: next.eventSeq,
            events: events.length,
          },
        };
      }),
    );
    failpoint(`${verb}.committed`);
    if (done.change && (done.change.events > 0 || done.change.to > done.change.from)) await committed(done.change);
    failpoint(`${verb}.followed`);
    return done.result;
  }

  /** Runs `work`. When it is refused, but is the retry of a call that took place, the answer is that call's. */
  async function retriable<T>(by: Actor, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const answered = error instanceof AppError && by.idempotency ? await answeredBefore(database.db, by) : undefined;
      if (answered) return answered.answer as T;
      throw error;
    }
  }

  /** For what belongs to no project yet: `work` and its answer in one commit, so that a retry finds the answer. */
  async function once<T>(by: Caller, work: (tx: Queryable) => Promise<T>): Promise<T> {
    return database.transaction(async (tx) => {
      // A retry may be under way at the same time: the second of them waits here.
      if (by.idempotency) await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${by.engineer.id + by.idempotency.key}, 0))`);
      const answered = await answeredBefore(tx, by);
      if (answered) return answered.answer as T;
      const result = await work(tx);
      if (by.idempotency) await remember(tx, by, by.idempotency, result);
      return result;
    });
  }

  return { change, readAndChange, retriable, once };
}

/** A failure of the read must not hide that the call was answered before. */
const outcomeOf = <R>(reading: Promise<R> | undefined): Promise<{ value: R | undefined } | { error: unknown }> =>
  reading === undefined
    ? Promise.resolve({ value: undefined })
    : reading.then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );

async function lock(tx: Queryable, projectId: string): Promise<LedgerRow | undefined> {
  const [row] = await rows<{ ledger_id: string; fence: string; ver: string; event_seq: string; now: string }>(
    tx,
    sql`select ledger_id, fence, ver, event_seq, now()::timestamptz(3) as now from ledgers where project_id = ${projectId} for update`,
  );
  return (
    row && {
      ledgerId: row.ledger_id,
      fence: Number(row.fence),
      ver: Number(row.ver),
      eventSeq: Number(row.event_seq),
      now: new Date(row.now).toISOString(),
    }
  );
}

function start(projectId: string, row: LedgerRow) {
  const next = { ...row };
  const events: NewEvent[] = [];
  const writes: Promise<unknown>[] = [];
  const at: Change = {
    projectId,
    now: row.now,
    write: (write) => {
      // Drizzle's are run by each `then`: here once. Until the commit waits for it, its failure is nobody's.
      const sent = Promise.resolve(write);
      sent.catch(() => undefined);
      writes.push(sent);
    },
    version: () => (next.ver = row.ver + 1),
    nextFence: () => (next.fence += 1),
    emit: (event) => {
      next.eventSeq += 1;
      events.push(event);
    },
    index: noChanges(),
  };
  return { at, after: () => ({ next, events, writes }) };
}

async function write(tx: Queryable, by: Actor | SystemActor, row: LedgerRow, next: LedgerRow, events: NewEvent[]) {
  const records = events.map((event, position) => {
    const actor = event.of ?? ('system' in by ? undefined : actorOf(by));
    return {
      seq: row.eventSeq + position + 1,
      type: event.type,
      engineer: actor?.engineerId ?? null,
      session: actor?.sessionId ?? null,
      feature: event.feature?.id ?? null,
      correlation: 'system' in by ? null : by.requestId,
      payload: {
        engineer: actor ? { id: actor.engineerId, name: actor.engineerName } : null,
        agent: actor?.agent ?? null,
        feature: event.feature ?? null,
        data: event.data ?? {},
      },
    };
  });
  await tx.execute(sql`
    with written as (
      insert into events (project_id, seq, type, engineer_id, session_id, feature_id, correlation_id, payload)
      select ${by.projectId}, e.seq, e.type, e.engineer, e.session, e.feature, e.correlation, e.payload
      from jsonb_to_recordset(${JSON.stringify(records)}::jsonb)
        as e(seq bigint, type text, engineer uuid, session uuid, feature uuid, correlation text, payload jsonb)
    )
    update ledgers set fence = ${next.fence}, ver = ${next.ver}, event_seq = ${next.eventSeq} where project_id = ${by.projectId}`);
}

const actorOf = (by: Actor) => ({
  engineerId: by.engineer.id,
  engineerName: by.engineer.name,
  sessionId: by.session?.id ?? null,
  agent: by.session?.agent ?? null,
});

type Answered = { fingerprint: string; answer: unknown };

/** Is the caller in the project, and was this call answered before? A statement of its own: the lock's may see what was before it. */
async function standing(tx: Queryable, by: Actor): Promise<{ isIn: boolean; answered: Answered | undefined }> {
  const [found] = await rows<{ isIn: boolean; fingerprint: string | null; answer: unknown }>(
    tx,
    sql`select exists (select 1 from members where project_id = ${by.projectId} and engineer_id = ${by.engineer.id}) as "isIn", i.fingerprint, i.answer
        from (select 1) as one left join idempotency i on i.engineer_id = ${by.engineer.id} and i.key = ${by.idempotency?.key ?? null}`,
  );
  const { isIn = false, fingerprint = null, answer } = found ?? {};
  return { isIn, answered: fingerprint === null ? undefined : ofThisCall(by, { fingerprint, answer }) };
}

async function answeredBefore(on: Queryable, by: Caller): Promise<Answered | undefined> {
  if (!by.idempotency) return undefined;
  const [found] = await rows<Answered>(
    on,
    sql`select fingerprint, answer from idempotency where engineer_id = ${by.engineer.id} and key = ${by.idempotency.key}`,
  );
  return found && ofThisCall(by, found);
}

function ofThisCall(by: Caller, answered: Answered): Answered {
  if (answered.fingerprint !== by.idempotency?.fingerprint) throw keyReused();
  return answered;
}

const keyReused = () =>
  new AppError('IDEMPOTENCY_KEY_REUSED', 'This Idempotency-Key was used for another request. Use a new key for each new request.');

/** Throws when another project's change took the key meanwhile: this project's lock does not order those two. */
async function remember(tx: Queryable, by: Caller, { key, fingerprint }: Idempotency, answer: unknown) {
  const stored = await rows(
    tx,
    sql`insert into idempotency (engineer_id, key, fingerprint, answer)
        values (${by.engineer.id}, ${key}, ${fingerprint}, ${JSON.stringify(answer ?? null)}::jsonb)
        on conflict do nothing returning key`,
  );
  if (stored.length === 0) throw keyReused();
}
