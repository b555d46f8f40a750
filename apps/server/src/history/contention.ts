import type { Claim } from '@nexus/paths';
import type { Database } from '../engines/database/database.ts';
import { addContention, type Counted } from './history.store.ts';

/** More paths than this in one second are a flood; it is not worth memory. */
const MOST = 10_000;

/** Counts in memory, beside the requests that are refused; the sweep writes it down. A crash loses its last seconds. */
export function createContention({ database }: { database: Database }) {
  let counts = new Map<string, Counted>();

  const count = (what: 'refused' | 'denied') => (projectId: string, paths: Claim[]) => {
    for (const { node, kind, display } of paths) {
      const key = `${projectId} ${node}`;
      const counted = counts.get(key) ?? { projectId, node, kind, display, refused: 0, denied: 0 };
      if (counts.size >= MOST && !counts.has(key)) return;
      counted[what] += 1;
      counts.set(key, counted);
    }
  };

  return {
    refused: count('refused'),
    denied: count('denied'),
    async flush(): Promise<void> {
      if (counts.size === 0) return;
      const batch = [...counts.values()];
      counts = new Map();
      await addContention(database.db, batch);
    },
  };
}
