import { sql } from 'drizzle-orm';
import { type Queryable, rows } from '../engines/database/database.ts';

export async function anyEngineer(on: Queryable): Promise<boolean> {
  return (await rows(on, sql`select 1 from engineers limit 1`)).length > 0;
}

/** Within a transaction, which keeps others from registering until its end: of several that think so one is the first. */
export async function isFirst(tx: Queryable): Promise<boolean> {
  await tx.execute(sql`lock table engineers in share row exclusive mode`);
  return !(await anyEngineer(tx));
}

export const insertEngineer = (tx: Queryable, e: { id: string; name: string; email: string; role: string }) =>
  tx.execute(sql`insert into engineers (id, name, email, role) values (${e.id}, ${e.name}, ${e.email}, ${e.role})`);
