import { sql, type SQL } from 'drizzle-orm';
import type { SearchKind } from '@nexus/contract';
import type { Queryable } from '../engines/database/database.ts';
import { fragmentsOf, piecesOf, spellingsIn } from './words.ts';

export type Entry = {
  kind: SearchKind;
  id: string;
  featureId: string | null;
  engineerId: string;
  author?: { name: string; email: string } | null;
  title: string;
  body: string;
  tags?: string[];
  /** Engineers who may find it. Default: everyone in the project. */
  readers?: string[];
  replaced?: boolean;
  /** Default: now. */
  at?: string;
};

/** A tsvector has at most 1 MB; what is further back than this finds nobody's interest. */
const READ = 64 * 1024;

/** Of what a provider of embeddings reads of an entry `e`. */
export const hashOf: SQL = sql`md5(e.title || E'\n' || e.body)`;

/** The row of a text that says something else now waits to be read again, and is near nothing until then. */
export const unlessUnchanged: SQL = sql`on conflict (kind, id) do update
  set hash = excluded.hash, readers = excluded.readers, model = '', dims = 0, vector = null, signs = null
  where search_vectors.hash <> excluded.hash or search_vectors.readers is distinct from excluded.readers`;

/** The word that stands for a project in each of its entries; no text makes one like it. */
export const projectWord = (projectId: string): string => `=${projectId}`;

/** Before each fragment: of all projects on a server, the index then reads this one's. */
export const fragmentPrefix = (projectId: string): string => projectId.slice(-8);

/**
 * Makes texts findable, or findable as they are now. Call it in the transaction that writes them, under the project's lock:
 * that keeps the count of each word right.
 */
export async function indexEntries(tx: Queryable, projectId: string, entries: Entry[]): Promise<void> {
  if (entries.length === 0) return;
  const given = entries.map(({ body, ...entry }) => ({
    ...entry,
    body: body.slice(0, READ).toWellFormed(),
    pieces: piecesOf(`${entry.title}\n${body.slice(0, READ)}`),
    tags: entry.tags ?? [],
    replaced: entry.replaced ?? false,
    readers: entry.readers ?? null,
  }));
  // A word that stands in what others may not read must not be guessed for them.
  const open = given.filter(({ readers }) => readers === null);
  const spellings = spellingsIn(open.map(({ title, body, pieces }) => `${title}\n${body}\n${pieces}`).join('\n')).map((spelling) => ({
    spelling,
    fragments: fragmentsOf(spelling).map((fragment) => fragmentPrefix(projectId) + fragment),
  }));
  await tx.execute(sql`
    with made as (
      select g.*,
        setweight(to_tsvector('english', g.title), 'A') || setweight(to_tsvector('english', g.tags), 'A') ||
        setweight(to_tsvector('english', g.body), 'C') || setweight(to_tsvector('english', g.pieces), 'D') ||
        array_to_tsvector(array[${projectWord(projectId)}]) as terms
      from jsonb_to_recordset(${JSON.stringify(given)}::jsonb) as g(kind text, id uuid, "featureId" uuid, "engineerId" uuid, author jsonb,
        title text, body text, pieces text, tags jsonb, readers uuid[], replaced boolean, at timestamptz)
    ), entry as (
      insert into search_entries (kind, id, project_id, feature_id, engineer_id, author, title, body, tags, readers, replaced, terms, at)
      select kind, id, ${projectId}::uuid, "featureId", "engineerId", author, title, body, tags, readers, replaced, terms, coalesce(at, now()) from made
      on conflict (kind, id) do update set feature_id = excluded.feature_id, title = excluded.title, body = excluded.body,
        tags = excluded.tags, readers = excluded.readers, replaced = excluded.replaced, terms = excluded.terms, at = excluded.at
      returning kind, id, project_id, readers, title, body
    ), unread as (
      insert into search_vectors (kind, id, project_id, readers, hash)
      select e.kind, e.id, e.project_id, e.readers, ${hashOf} from entry e
      ${unlessUnchanged}
    ), change as (
      select lexeme as word, sum(n)::int as n from (
        select t.lexeme, 1 as n from made, unnest(made.terms) t
        union all select t.lexeme, -1 from made join search_entries e using (kind, id), unnest(e.terms) t
      ) each group by lexeme having sum(n) <> 0
    ), spelled as (
      insert into search_spellings (project_id, spelling, word, fragments)
      select ${projectId}::uuid, spelling, stem[1], fragments
      from jsonb_to_recordset(${JSON.stringify(spellings)}::jsonb) as s(spelling text, fragments text[]), ts_lexize('english_stem', spelling) stem
      where stem <> '{}' order by spelling on conflict do nothing
    )
    insert into search_words (project_id, word, docs) select ${projectId}::uuid, word, n from change order by word
    on conflict (project_id, word) do update set docs = search_words.docs + excluded.docs`);
}

/** Forgets texts that are gone. */
export async function dropEntries(tx: Queryable, projectId: string, kind: SearchKind, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  await tx.execute(sql`
    with gone as (
      delete from search_entries where project_id = ${projectId} and kind = ${kind} and id = any(${sql.param(ids)}::uuid[]) returning terms
    ), change as (select t.lexeme as word, count(*)::int as n from gone, unnest(gone.terms) t group by 1)
    update search_words w set docs = w.docs - c.n from change c where w.project_id = ${projectId} and w.word = c.word`);
}

/** Another one stands in its place: it is found after those that stand. */
export const markReplaced = (tx: Queryable, projectId: string, kind: SearchKind, id: string) =>
  tx.execute(sql`update search_entries set replaced = true where project_id = ${projectId} and kind = ${kind} and id = ${id}`);
