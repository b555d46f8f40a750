import { sql } from 'drizzle-orm';
import { type Queryable, rows } from '../../src/engines/database/database.ts';
import type { Entry } from './workload.ts';

/** Every change that an agent heard of is in the ledger, once, as it heard it. Empty: so it is. */
export async function auditHistory(db: Queryable, projectId: string, history: Entry[]): Promise<string[]> {
  const holds = await rows<{ fence: string; session: string; slug: string | null; endedAs: string | null }>(
    db,
    sql`select h.fence, h.session_id as session, f.slug, h.ended_as as "endedAs" from holds h left join features f on f.id = h.feature_id where h.project_id = ${projectId}`,
  );
  const byFence = new Map(holds.map((hold) => [Number(hold.fence), hold]));
  const heard = new Set<number>();
  const broken: string[] = [];
  for (const { verb, session, slug, fence, outcome } of history) {
    if (outcome !== 'ok') continue;
    const hold = verb === 'pick' || fence !== null ? byFence.get(fence ?? 0) : undefined;
    if (verb === 'pick') {
      if (!hold || hold.session !== session || hold.slug !== slug)
        broken.push(`${slug} was picked under ${fence}, and the ledger has ${JSON.stringify(hold)}`);
      if (fence !== null && heard.has(fence)) broken.push(`fence ${fence} was given out twice`);
      heard.add(fence ?? 0);
    } else if (hold?.endedAs !== 'released') {
      broken.push(`${slug} was released under ${fence}, and its hold has ended as ${hold?.endedAs}`);
    }
  }
  return broken;
}
