import type { Feature } from '@nexus/contract';
import type { Queryable } from '../engines/database/database.ts';
import { latestCheckpoints } from '../sessions/index.ts';
import type { FeatureRow } from './features.store.ts';
import { lastHolders } from './handover.store.ts';

export type Handover = Pick<Feature, 'checkpoint' | 'left'>;

/** Interrupted, or parked: nobody works on it, and what was begun is there to be taken over. */
export const isLeft = ({ interrupted, hold }: FeatureRow): boolean => interrupted || hold?.parked === true;

/** For whoever takes over, by feature: the last checkpoint, and who left it where. */
export async function handovers(on: Queryable, projectId: string, features: FeatureRow[]): Promise<Map<string, Handover>> {
  const ids = features.map(({ id }) => id);
  const [checkpoints, left] = await Promise.all([latestCheckpoints(on, projectId, ids), lastHolders(on, projectId, ids)]);
  return new Map(
    ids.map((id) => {
      const [checkpoint, who] = [checkpoints.get(id), left.get(id)];
      return [id, { ...(checkpoint ? { checkpoint } : {}), ...(who ? { left: who } : {}) }];
    }),
  );
}
