import type { EngineSet } from '../../test/harness.ts';
import { type Verb, verbs } from '../../test/lib/scenes.ts';
import type { Random } from '../lib/random.ts';

/** Before the commit; after it, with the index behind; after both, before the answer. */
const points = ['written', 'committed', 'followed'] as const;

export type CrashPoint = { verb: Verb; point: string; retries: boolean };

export const hasHappened = ({ point }: CrashPoint) => point === 'committed' || point === 'followed';

/**
 * Neighbours differ in their verb, so that what is done after one crash never passes the point that is armed for the next.
 * Quick: each verb once, at one of its points; embedded, where a start takes three times as long, two verbs.
 */
export function crashPoints(set: EngineSet, quick: boolean, random: Random): CrashPoint[] {
  if (quick) {
    const some = set === 'team' ? verbs : random.shuffled(verbs.filter((verb) => verb !== 'lose')).slice(0, 2);
    return random.shuffled(some).map((verb) => ({ verb, point: random.pick(points), retries: random.chance(0.7) }));
  }
  const all: CrashPoint[] = [];
  for (const retries of [true, false]) {
    for (const point of points) {
      all.push(...verbs.map((verb) => ({ verb, point, retries })));
      if (point === 'written') all.splice(-7, 0, { verb: 'lose', point: 'condemned', retries });
    }
  }
  return all;
}
