import { sql } from 'drizzle-orm';
import type { SearchKind } from '@nexus/contract';
import { type Queryable, rows } from '../engines/database/database.ts';
import { hashOf, unlessUnchanged } from './index.store.ts';
import { conditions, type Filters, narrowing, type Reader } from './search.store.ts';

type Key = { kind: SearchKind; id: string };

/** Marks what is not marked, or for another text, as waiting to be read; answers the last one looked at. What is being written marks itself. */
export async function markUnread(on: Queryable, after: Key | undefined, limit: number): Promise<Key | undefined> {
  const [last] = await rows<Key>(
    on,
    sql`with e as (
          select kind, id, project_id, readers, title, body from search_entries
          ${after ? sql`where (kind, id) > (${after.kind}, ${after.id}::uuid)` : sql``} order by kind, id limit ${limit} for share skip locked
        ), marked as (
          insert into search_vectors (kind, id, project_id, readers, hash)
          select e.kind, e.id, e.project_id, e.readers, ${hashOf} from e ${unlessUnchanged}
        )
        select kind, id from e order by kind desc, id desc limit 1`,
  );
  return last;
}

export type Unread = Key & { hash: string; text: string };

/** Not read by this model, or when its vectors had another length than `dims`. By ranges, so that the index serves. */
const unread = (model: string, dims: number) => sql`(v.model < ${model} or v.model > ${model}
  ${dims > 0 ? sql`or (v.model = ${model} and v.dims > 0 and v.dims < ${dims}) or (v.model = ${model} and v.dims > ${dims})` : sql``})`;

export const unreadTexts = (
  on: Queryable,
  { model, dims, letters, limit }: { model: string; dims: number; letters: number; limit: number },
) =>
  rows<Unread>(
    on,
    sql`select v.kind, v.id, v.hash, left(e.title || E'\n' || e.body, ${letters}) as text
        from search_vectors v join search_entries e using (kind, id) where ${unread(model, dims)} limit ${limit}`,
  );

export async function countUnread(on: Queryable, model: string, dims: number): Promise<number> {
  const [row] = await rows<{ count: number }>(on, sql`select count(*)::int as count from search_vectors v where ${unread(model, dims)}`);
  return row?.count ?? 0;
}

/** What was read; null: it was refused. Of a text that was changed or removed meanwhile nothing is kept. */
export async function keepVectors(
  on: Queryable,
  model: string,
  read: Array<Key & { hash: string; vector: number[] | null }>,
): Promise<void> {
  const given = read.map(({ vector, ...text }) => ({ ...text, dims: vector?.length ?? 0, vector, signs: vector && signsOf(vector) }));
  await on.execute(sql`
    update search_vectors v set model = ${model}, dims = g.dims, vector = g.vector, signs = g.signs::bit varying
    from jsonb_to_recordset(${JSON.stringify(given)}::jsonb) as g(kind text, id uuid, hash text, dims int, vector real[], signs text)
    where v.kind = g.kind and v.id = g.id and v.hash = g.hash`);
}

const signsOf = (vector: number[]): string => vector.map((x) => (x > 0 ? '1' : '0')).join('');

/** Whether it compares vectors, and far faster than SQL does. Tried out: it may be there and still not work. */
export async function bringUpPgvector(on: Queryable): Promise<boolean> {
  const attempt = async (query: string) => {
    try {
      await on.execute(sql.raw(query));
      return true;
    } catch {
      return false;
    }
  };
  const [known] = await rows<{ name: string }>(on, sql`select name from pg_available_extensions where name = 'vector'`);
  if (!known) return false;
  // Refused where it takes an administrator, or another server is just doing it.
  await attempt('create extension if not exists vector');
  return attempt(`select array[1, 2]::real[]::vector <#> array[1, 2]::real[]::vector`);
}

/**
 * So many are compared in full. Without pgvector each costs a fifth of a millisecond. Of made-up vectors, 50,000 with 32 to
 * 128 independent directions around one point, the five nearest are among the first 200 by signs to 100 and 84 %, among
 * the first 100 to 99 and 75 %; around none, as most models make them nearly, to 100 %, and to 100 and 94 %.
 */
const COMPARED = { pgvector: 200, sql: 100 };

export type Near = { id: string; likeness: number; replaced: boolean };

/**
 * The entries whose vectors are nearest. First by how many signs differ, which every PostgreSQL counts by itself: 60 ms for
 * 100,000 notes of 768 numbers, and exact up to as many as are then compared in full; that for all of them takes 13 s.
 * An index for nearest neighbours would span all projects and lose those that a filter leaves; it needs pgvector besides.
 */
export function nearestEntries(
  on: Queryable,
  reader: Reader,
  { model, vector, filters, pgvector }: { model: string; vector: number[]; filters: Filters; pgvector: boolean },
): Promise<Near[]> {
  const list = vector.join(',');
  const likeness = pgvector
    ? sql`-(v.vector::vector <#> ${`[${list}]`}::text::vector)`
    : sql`(select sum(a * b) from unnest(v.vector, ${`{${list}}`}::text::real[]) as u(a, b))`;
  const narrow = narrowing(reader, filters);
  return rows<Near>(
    on,
    sql`with near as (
          select v.kind, v.id, v.vector from search_vectors v
          where v.project_id = ${reader.projectId} and v.model = ${model} and v.dims = ${vector.length}
            and (v.readers is null or ${reader.engineerId}::uuid = any(v.readers))
            ${filters.kind ? sql`and v.kind = ${filters.kind}` : sql``}
            ${narrow ? sql`and exists (select 1 from search_entries e where e.kind = v.kind and e.id = v.id and ${narrow})` : sql``}
          order by bit_count(v.signs # ${signsOf(vector)}::text::bit varying) limit ${pgvector ? COMPARED.pgvector : COMPARED.sql}
        )
        select e.id, ${likeness}::float8 as likeness, e.replaced from near v join search_entries e using (kind, id) where ${conditions(reader, filters)}`,
  );
}

/** Whether there is anything to compare with. */
export async function hasVectors(on: Queryable, projectId: string, model: string, dims: number): Promise<boolean> {
  const found = await rows(
    on,
    sql`select 1 from search_vectors where project_id = ${projectId} and model = ${model} and dims = ${dims} limit 1`,
  );
  return found.length > 0;
}
