import type { FeedEvent } from '@nexus/contract';
import { type Claim, compatible, overlaps, parseClaim } from '@nexus/paths';

/** By node: who claims for write what its hold has for read has it once. */
type Hold = { session: string; slug: string | null; claims: Map<string, Claim> };

function claimOf(path: string): Claim {
  const parsed = parseClaim(path);
  if (!parsed.ok) throw new Error(`${path}: ${parsed.message}`);
  return parsed.claim;
}

/**
 * The history as the events tell it, in the ledger's order and from nothing else: what is held at every event excludes each
 * other, nothing is added to a hold that has ended, no fence belongs to two sessions, and a feature has one hold.
 */
export function checkEvents(events: FeedEvent[]): string[] {
  const broken: string[] = [];
  const open = new Map<number, Hold>();
  const owners = new Map<number, string>();
  const ended = new Set<number>();

  for (const { seq, type, feature, actor, data } of events) {
    const fence = typeof data['fence'] === 'number' ? data['fence'] : undefined;
    const paths = Array.isArray(data['paths']) ? data['paths'].map(String) : [];
    const session = actor.session ?? '';
    if (fence === undefined) continue;
    if (type === 'feature_claimed' || type === 'files_claimed') {
      const owner = owners.get(fence) ?? session;
      owners.set(fence, owner);
      if (ended.has(fence)) broken.push(`event ${seq}: ${session} claimed under ${fence}, which had ended`);
      if (owner !== session) broken.push(`event ${seq}: fence ${fence} of ${owner} was used by ${session}`);
      const hold = open.get(fence) ?? { session, slug: feature?.slug ?? null, claims: new Map<string, Claim>() };
      open.set(fence, hold);
      for (const [other, { slug }] of open) {
        if (type !== 'feature_claimed' || other === fence || slug !== feature?.slug) continue;
        // Handed over: what the hold before had is the new one's.
        if (data['resumed'] === true) end(other);
        else broken.push(`event ${seq}: ${slug} was claimed under ${fence} while ${other} stood`);
      }
      for (const path of paths) {
        const claim = claimOf(path);
        for (const [other, { session: holder, claims }] of open) {
          if (holder === session) continue;
          for (const held of claims.values()) {
            if (!compatible(held.mode, claim.mode) && overlaps(held, claim))
              broken.push(`event ${seq}: ${path} went to ${session} under ${fence}, while ${holder} held ${held.display} under ${other}`);
          }
        }
        hold.claims.set(claim.node, claim);
      }
    }
    if (type === 'files_released') for (const path of paths) open.get(fence)?.claims.delete(claimOf(path).node);
    if (type === 'feature_released' || type === 'feature_completed' || type === 'feature_cancelled') end(fence, paths.length === 0);
    const left = open.get(fence);
    if (type === 'files_released' && left && left.claims.size === 0 && (ended.has(fence) || left.slug === null)) open.delete(fence);
  }

  /** Its paths are given back by the event that follows. */
  function end(fence: number, pathsFollow = false) {
    ended.add(fence);
    if (!pathsFollow || open.get(fence)?.claims.size === 0) open.delete(fence);
  }
  return broken;
}
