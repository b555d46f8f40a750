import type { Database, Queryable } from '../../src/engines/database/database.ts';
import type { Random } from '../lib/random.ts';
import type { Being, Scheduler } from './scheduler.ts';

type Transaction = { by: Being; broken: boolean; statements: number; passed: number; fail: Set<(error: Error) => void> };

const connectionLost = () => Object.assign(new Error('The connection broke.'), { code: 'CONNECTION_CLOSED' });

/**
 * One ledger under several servers. Its one connection serves one transaction at a time, as the lock of a project's row
 * does; between statements, and after the commit, the connection may break, and its server may die.
 */
export function createSimulatedDatabase({ shared, scheduler, random }: { shared: Database; scheduler: Scheduler; random: Random }) {
  let open: Transaction | undefined;
  const trouble = { loss: 0, away: false, faults: 0 };
  const isLost = () => {
    const lost = trouble.away || random.chance(trouble.loss);
    if (lost) trouble.faults += 1;
    return lost;
  };

  function statementsOf(tx: Queryable, at: Transaction): Queryable {
    const execute = (query: Parameters<Queryable['execute']>[0]) => {
      // In the order they were sent, as on one connection.
      const position = at.statements;
      at.statements += 1;
      return new Promise((resolve, reject) => {
        at.fail.add(reject);
        const run = async () => {
          at.fail.delete(reject);
          at.passed += 1;
          if (isLost()) at.broken = true;
          if (at.broken) throw connectionLost();
          return tx.execute(query);
        };
        scheduler.gate(at.by, 'statement', run, { mayGo: () => open === at && at.passed === position }).then(resolve, reject);
      });
    };
    return { execute } as unknown as Queryable;
  }

  async function transaction<T>(by: Being, work: (tx: Queryable) => Promise<T>): Promise<T> {
    const at: Transaction = { by, broken: false, statements: 0, passed: 0, fail: new Set() };
    await scheduler.gate(by, 'begin', () => void (open = at), { mayGo: () => open === undefined });
    const leave = () => {
      for (const fail of at.fail) fail(connectionLost());
      if (open === at) open = undefined;
    };
    if (isLost()) {
      leave();
      throw connectionLost();
    }
    const done: Promise<T> = shared.transaction(async (tx) => {
      const result = await work(statementsOf(tx, at));
      // Who needs no more answers comes here although the connection broke, as a retry does whose answer is stored.
      if (at.broken || !by.alive) throw connectionLost();
      // The commit is one step: nothing else happens until it has.
      await new Promise<void>((resolve, reject) => {
        at.fail.add(reject);
        const commit = async () => {
          at.fail.delete(reject);
          resolve();
          await done.catch(() => undefined);
        };
        void scheduler.gate(by, 'commit', commit);
      });
      return result;
    });
    try {
      const result = await done;
      leave();
      // Committed, and nobody is told.
      if (isLost()) throw connectionLost();
      return result;
    } catch (error) {
      leave();
      throw error;
    }
  }

  return {
    trouble,
    isBusy: () => open !== undefined,
    for: (by: Being): Database => ({
      kind: 'pglite',
      db: {
        execute: (query: Parameters<Queryable['execute']>[0]) =>
          scheduler.gate(
            by,
            'query',
            () => {
              if (isLost()) throw connectionLost();
              return shared.db.execute(query);
            },
            { mayGo: () => open === undefined },
          ),
      } as unknown as Queryable,
      transaction: (work) => transaction(by, work),
      ping: () => Promise.resolve(),
      close: () => Promise.resolve(),
    }),
    /** What a dead server had under way is rolled back. */
    async died(by: Being) {
      const mine = open?.by === by ? open : undefined;
      if (!mine) return;
      for (const fail of mine.fail) fail(connectionLost());
      while (open === mine) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
