import type { Database } from '../engines/database/database.ts';
import { isDatabaseAway } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { markUsed } from './keys.store.ts';

const FLUSH_MS = 5000;
const MINUTE = 60_000;

/** When keys were last used: at most one write a minute for each, many in one statement, and no request waits for it. */
export function createUsage({ database, log }: { database: Database; log: Log }) {
  const noted = new Map<string, number>();
  let waiting = new Set<string>();
  const timer = setInterval(() => void flush(), FLUSH_MS);
  timer.unref();

  async function flush(): Promise<void> {
    const now = Date.now();
    for (const [keyId, at] of noted) if (now - at >= MINUTE) noted.delete(keyId);
    if (waiting.size === 0) return;
    const keyIds = [...waiting];
    waiting = new Set();
    try {
      await markUsed(database.db, keyIds);
    } catch (error) {
      // Worth a statistic, not a retry.
      if (!isDatabaseAway(error)) log.error({ err: error }, 'a bug: the use of keys could not be noted');
    }
  }

  return {
    note(keyId: string): void {
      if (noted.has(keyId)) return;
      noted.set(keyId, Date.now());
      waiting.add(keyId);
    },
    flush,
    async stop(): Promise<void> {
      clearInterval(timer);
      await flush();
    },
  };
}
