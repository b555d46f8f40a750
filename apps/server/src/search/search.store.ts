import { sql, type SQL } from 'drizzle-orm';
import { type SearchHit, type SearchKind, searchKinds } from '@nexus/contract';
import { type Queryable, rows } from '../engines/database/database.ts';
import { fragmentPrefix, projectWord } from './index.store.ts';
import { FOUND, passage } from './passage.ts';
import { fragmentsLookedFor, type Spelling, spellingsIn } from './words.ts';

/** How many entries are weighed against each other: a page needs few of them, and each costs microseconds. */
const WEIGHED = 1000;
/** How much of a text the passage that fits is looked for in. */
const READ = 20_000;

/** A stem, the number of entries that have it, and how the query spells it, if it is a word that may be misspelled. */
export type Asked = { word: string; docs: number; spelling: string | null };

/** What a query asks for, as it is stored, and how many entries there are. */
export async function readQuery(on: Queryable, projectId: string, text: string): Promise<{ asked: Asked[]; total: number }> {
  const own = projectWord(projectId);
  const found = await rows<Asked>(
    on,
    sql`select asked.lexeme as word, coalesce(w.docs, 0) as docs,
          (select s from unnest(${sql.param(spellingsIn(text))}::text[]) s where (ts_lexize('english_stem', s))[1] = asked.lexeme limit 1) as spelling
        from (select lexeme from unnest(to_tsvector('english', ${text})) union all select ${own}) asked
        left join search_words w on w.project_id = ${projectId} and w.word = asked.lexeme`,
  );
  return { asked: found.filter(({ word }) => word !== own), total: found.find(({ word }) => word === own)?.docs ?? 0 };
}

const spellings = (projectId: string, where: SQL, limit: number) => sql`
  select s.spelling, s.word, w.docs from search_spellings s join search_words w on w.project_id = s.project_id and w.word = s.word
  where s.project_id = ${projectId} and w.docs > 0 and ${where} order by w.docs desc, s.spelling limit ${limit}`;

/** Words that begin like this, most used first. */
export const longerWords = (on: Queryable, projectId: string, start: string, limit: number): Promise<Spelling[]> =>
  rows(on, spellings(projectId, sql`s.spelling > ${start} collate "C" and s.spelling < ${`${start}\u{10ffff}`} collate "C"`, limit));

/** Words that may be meant by a misspelled one. */
export function similarWords(on: Queryable, projectId: string, typed: string): Promise<Spelling[]> {
  const fragments = fragmentsLookedFor(typed).map((fragment) => fragmentPrefix(projectId) + fragment);
  if (fragments.length === 0) return Promise.resolve([]);
  return rows(on, spellings(projectId, sql`s.fragments && ${sql.param(fragments)}::text[]`, 200));
}

/** One thing that is looked for: a word, or those that may stand in its place, and how much it says. */
export type Term = { words: string[]; docs: number; weight: number };
export type Filters = {
  kind?: SearchKind | undefined;
  feature?: string | undefined;
  tag?: string | undefined;
  engineer?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
};
/** Whose search it is: what was written to others only, they do not find. */
export type Reader = { projectId: string; engineerId: string };

const quoted = (word: string) => `'${word.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
const any = (words: string[], label = '') => words.map((word) => quoted(word) + label).join(' | ');

const all = (parts: Array<SQL | string | undefined>): SQL =>
  sql.join(
    parts.filter((part) => part !== undefined && part !== ''),
    sql` and `,
  );

/** What a reader may find of what they ask for. */
export const conditions = (reader: Reader, filters: Filters): SQL =>
  all([
    sql`e.project_id = ${reader.projectId}`,
    sql`(e.readers is null or ${reader.engineerId}::uuid = any(e.readers))`,
    filters.kind && sql`e.kind = ${filters.kind}`,
    narrowing(reader, filters),
  ]);

/** The filters for which an entry itself has to be looked at; undefined without any. */
export function narrowing({ projectId }: Reader, { feature, tag, engineer, since, until }: Filters): SQL | undefined {
  const parts = [
    feature && sql`e.feature_id = (select id from features where project_id = ${projectId} and slug = ${feature})`,
    tag && sql`e.tags ? ${tag}`,
    engineer &&
      sql`coalesce(lower(e.author->>'email') = lower(${engineer}),
            e.engineer_id in (select id from engineers where id::text = ${engineer} or lower(email) = lower(${engineer})))`,
    since && sql`e.at >= ${since}::timestamptz`,
    until && sql`e.at < ${until}::timestamptz`,
  ];
  return parts.some((part) => part !== undefined && part !== '') ? all(parts) : undefined;
}

/**
 * Those that have the rarest of the terms: only they can come first. When even those are in too many entries, the ones
 * that have every term, and the newest that have the rarest.
 */
function candidates(projectId: string, terms: Term[], where: SQL): SQL {
  const rarest = terms.toSorted((a, b) => a.docs - b.docs);
  const own = quoted(projectWord(projectId));
  const newest = (query: string) =>
    sql`(select e.* from search_entries e where ${where} and e.terms @@ ${query}::tsquery order by e.at desc limit ${WEIGHED})`;
  const chosen: Term[] = [];
  let docs = 0;
  for (const term of rarest) {
    docs += term.docs;
    if (docs > WEIGHED) break;
    chosen.push(term);
  }
  if (chosen.length > 0) return newest(`${own} & (${any(chosen.flatMap(({ words }) => words))})`);
  const all = newest(`${own} & ${terms.map(({ words }) => `(${any(words)})`).join(' & ')}`);
  const [first] = rarest;
  return terms.length > 1 && first ? sql`(${all} union ${newest(`${own} & (${any(first.words)})`)})` : all;
}

export type Position = { score: number; id: string };
type Raw = Omit<SearchHit, 'createdAt'> & { at: string };
type Wanted = {
  terms: Term[];
  filters: Filters;
  from: Position | undefined;
  limit: number;
  /** These were shown already. */
  except?: string[];
};

/**
 * The best of what fits, best first, after the one at `from`. A term counts by how rare it is, half as much again in a
 * title or tag; long texts have more by chance, and what was replaced counts half.
 */
function best(reader: Reader, { terms, filters, from, limit, except = [] }: Wanted): SQL {
  const counts = terms.map(
    ({ words, weight }) =>
      sql`case when c.terms @@ ${any(words, ':A')}::tsquery then ${weight * 1.5}::float8 when c.terms @@ ${any(words)}::tsquery then ${weight}::float8 else 0 end`,
  );
  return sql`
    scored as materialized (
      select c.*, ((${sql.join(counts, sql` + `)}) / (1 + 0.15::float8 * ln(1 + length(c.terms)::float8 / 50)) * case when c.replaced then 0.5::float8 else 1 end) as score
      from ${candidates(reader.projectId, terms, conditions(reader, filters))} c
    ), best as (
      select * from scored where score > 0 ${from ? sql`and (score, id) < (${from.score}::float8, ${from.id}::uuid)` : sql``}
        ${except.length > 0 ? sql`and id <> all(${sql.param(except)}::uuid[])` : sql``}
      order by score desc, id desc limit ${limit}
    )`;
}

/** Only which, and how well they fit: without the passages, which cost the most. */
export async function rankEntries(on: Queryable, reader: Reader, wanted: Wanted): Promise<Position[]> {
  if (wanted.terms.length === 0) return [];
  const found = await rows<Position>(on, sql`with ${best(reader, wanted)} select id, score from best order by score desc, id desc`);
  return found.map(({ id, score }) => ({ id, score: Number(score) }));
}

export async function searchEntriesFor(on: Queryable, reader: Reader, wanted: Wanted): Promise<SearchHit[]> {
  if (wanted.terms.length === 0) return [];
  return (await rows<Raw>(on, sql`with ${best(reader, wanted)} ${shown(wanted.terms)} order by b.score desc, b.id desc`)).map(hit);
}

/** Which of these there are, for this reader and these filters, in the order in which they are named. */
export async function stillFound(on: Queryable, reader: Reader, filters: Filters, ids: string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const found = await rows<{ id: string }>(
    on,
    sql`select e.id from search_entries e where ${among(ids)} and ${conditions(reader, filters)}`,
  );
  const there = new Set(found.map(({ id }) => id));
  return ids.filter((id) => there.has(id));
}

/** Those named that the reader may find, in no order and without a score. */
export async function entriesNamed(on: Queryable, reader: Reader, terms: Term[], ids: string[]): Promise<SearchHit[]> {
  if (ids.length === 0) return [];
  const named = sql`best as (select e.*, 0 as score from search_entries e where ${among(ids)} and ${conditions(reader, {})})`;
  return (await rows<Raw>(on, sql`with ${named} ${shown(terms)}`)).map(hit);
}

/** With every kind, for the key begins with that. */
const among = (ids: string[]) => sql`e.kind = any(${sql.param([...searchKinds])}::text[]) and e.id = any(${sql.param(ids)}::uuid[])`;

const shown = (terms: Term[]) => sql`
  select b.kind, b.id, f.id as "featureId", f.slug as "featureSlug", b.engineer_id as "engineerId",
    coalesce(b.author->>'name', g.name) as "engineerName", b.title, b.tags, b.replaced, b.score, b.at,
    ts_headline('english', translate(left(b.body, ${READ}), ${FOUND.from + FOUND.to}, ''),
      ${any(terms.flatMap(({ words }) => words))}::tsquery, ${`HighlightAll=true, StartSel=${FOUND.from}, StopSel=${FOUND.to}`}) as snippet
  from best b left join features f on f.id = b.feature_id join engineers g on g.id = b.engineer_id`;

const hit = ({ at, ...row }: Raw): SearchHit => ({
  ...row,
  snippet: passage(row.snippet),
  score: Number(row.score),
  createdAt: new Date(at).toISOString(),
});
