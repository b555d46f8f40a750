import { sql } from 'drizzle-orm';
import { forgetFinished } from '../claims/index.ts';
import type { Queryable } from '../engines/database/database.ts';

/** Removes old answers to retries, where paths were finished, and events that are both older and more than what is kept. */
export async function clean(on: Queryable, keep: { keepDays: number; keepCount: number }): Promise<void> {
  await on.execute(sql`delete from idempotency where created_at < now() - interval '24 hours'`);
  await forgetFinished(on);
  await on.execute(sql`
    delete from events e using ledgers l where l.project_id = e.project_id and e.seq <= l.event_seq - ${keep.keepCount}
    and e.at < now() - make_interval(secs => ${keep.keepDays * 86_400})`);
}
