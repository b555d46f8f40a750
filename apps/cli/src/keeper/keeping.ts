import type { Keeping } from '../hook/actor.ts';
import type { Keeper } from './keeper.ts';
import { clock, isValid, leaseOf } from './lease-file.ts';
import type { Registry } from './registry.ts';

/** What hooks ask of the keeper that they run in. */
export function createKeeping({ registry, handle }: { registry: Registry; handle: Keeper['handle'] }): Keeping {
  return {
    keep: (registration) => {
      const { ok } = handle({ op: 'register', ...registration });
      const entry = registry.get(registration.sessionId);
      // The session was opened, or renewed, a moment ago; the first beat comes soon.
      if (entry && registration.leaseSeconds !== undefined) entry.lease ??= leaseOf(entry.sessionId, clock(), registration.leaseSeconds);
      return ok;
    },
    forget: (sessionId) => void handle({ op: 'forget', sessionId }),
    kept: (sessionId) => {
      const entry = registry.get(sessionId);
      if (entry?.state !== 'kept') return undefined;
      return {
        leaseValid: entry.lease !== undefined && isValid(entry.lease, clock()),
        beatAt: entry.beat?.at ?? 0,
        holds: entry.beat?.holds ?? [],
        requests: entry.requests,
        messages: entry.messages,
        patches: entry.patches,
        takeLost: () => entry.lost.splice(0),
      };
    },
    count: (sessionId, edits, denials) => {
      const entry = registry.get(sessionId);
      if (entry === undefined) return;
      entry.activity.edits += edits;
      entry.activity.denials += denials;
    },
  };
}
