import type { Statement } from './tap.ts';

/** The counters of the project's row, as its lock reads them. */
export const counters = ['fence', 'ver', 'event_seq'] as const;
export type Counter = (typeof counters)[number];
export type Counters = Record<Counter, number>;

/** A part of a parameter: text that each client has its own of, a counter plus so many, or a new UUID of this round. */
export type Piece = { text: string[] } | { counter: Counter; plus: number } | { fresh: number };
export type Step = { sql: string; locks: boolean; params: (Piece[] | null)[] };
/** What one client sends in a round, with everything that differs from round to round found out. */
export type Template = { clients: number; fresh: number; steps: Step[] };

/** One round as it was recorded; `before` are the counters ahead of each of its requests. */
export type Recording = { statement: Statement; before: Counters }[];

const tokens = /([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+Z|\d+)/;
const isUuid = (token: string) => /^[0-9a-f]{8}-/.test(token);

/**
 * Compares two rounds of the first client, to see what is new each time, with one round of every other, to see what is
 * each one's own. `all[0]` is the first client's later round.
 */
export function makeTemplate(earlier: Recording, all: Recording[]): Template {
  const [first] = all;
  if (first === undefined) throw new Error('Nothing was recorded.');
  const fresh = new Map<string, number>();
  const steps = first.map(({ statement, before }, position): Step => {
    const others = all.map((recording) => recording[position]?.statement);
    const then = earlier[position];
    if (then === undefined || others.some((other) => other?.sql !== statement.sql))
      throw new Error('The recordings differ in their statements.');
    const params = statement.params.map((value, at): Piece[] | null => {
      const [was, each] = [then.statement.params[at] ?? null, others.map((other) => other?.params[at] ?? null)];
      if (value === null || was === null) return null;
      if (value === was) return [{ text: each.map((text) => text ?? '') }];
      const [now, old, own] = [value.split(tokens), was.split(tokens), each.map((text) => (text ?? '').split(tokens))];
      const pieces = now.map((token, n): Piece => {
        if (token !== old[n] && isUuid(token)) {
          if (!fresh.has(token)) fresh.set(token, fresh.size);
          return { fresh: fresh.get(token) ?? 0 };
        }
        const counter =
          token === old[n] ? undefined : counters.find((name) => Number(token) - before[name] === Number(old[n]) - then.before[name]);
        if (counter !== undefined) return { counter, plus: Number(token) - before[counter] };
        return { text: own.map((texts) => (texts.length === now.length ? (texts[n] ?? '') : token)) };
      });
      return merged(pieces);
    });
    const sql = statement.sql.trim().replace(/\s+/g, ' ');
    return { sql, params, locks: counters.every((name) => sql.includes(name)) && sql.endsWith('for update') };
  });
  const requests = steps.filter(({ locks }) => locks).length;
  if (requests !== 2) throw new Error(`Expected a pick and a release to read the counters once each, found ${requests}.`);
  return { clients: all.length, fresh: fresh.size, steps };
}

function merged(pieces: Piece[]): Piece[] {
  const result: Piece[] = [];
  for (const piece of pieces) {
    const last = result.at(-1);
    if (last && 'text' in last && 'text' in piece) last.text = last.text.map((text, n) => text + (piece.text[n] ?? ''));
    else result.push('text' in piece ? { text: [...piece.text] } : piece);
  }
  return result.filter((piece) => !('text' in piece) || piece.text.some((text) => text !== ''));
}
