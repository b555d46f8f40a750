import type { Client } from '@nexus/client';
import type { FeedEvent } from '@nexus/contract';

/** The whole feed of a project, page by page. */
export async function allEvents(client: Client, projectId: string): Promise<FeedEvent[]> {
  const events: FeedEvent[] = [];
  for (let after = '0', more = true; more;) {
    const page = await client.events({ projectId, query: { after, limit: 1000 } });
    events.push(...page.items);
    ({ cursor: after, hasMore: more } = page);
  }
  return events;
}
