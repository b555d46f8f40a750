import { sql } from 'drizzle-orm';
import { type Queryable, rows } from '../engines/database/database.ts';

/** For the gauges: over all projects. */
export async function totals(on: Queryable) {
  const [row] = await rows<{ claims: number; sessions: number }>(
    on,
    sql`select (select count(*)::int from claims where ended_ver is null) as claims, (select count(*)::int from sessions where status = 'active') as sessions`,
  );
  const byStatus = await rows<{ status: string; count: number }>(
    on,
    sql`select status, count(*)::int as count from features group by status`,
  );
  return { claims: row?.claims ?? 0, sessions: row?.sessions ?? 0, features: byStatus };
}
