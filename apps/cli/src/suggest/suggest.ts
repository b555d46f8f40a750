import { importsOf } from './imports.ts';
import type { Repository } from './repository.ts';
import { wordsOf } from './words.ts';

export type Suggestion = { path: string; score: number; why: string[] };
export type Suggested = {
  /** To be claimed; the likeliest first. */
  paths: Suggestion[];
  /** Half of the work comes by here: claim them for an edit only, or everybody waits for everybody. */
  hubs: Suggestion[];
};

/** How many files the words alone choose; the rest follows from those. */
const SEEDS = 5;
/** How much of a seed's score goes to what it imports or is imported by, and to what changed with it. */
const SHARE = { imports: 0.25, commits: 0.6 };
/** Below this share of the best score it is a guess. */
const WORTH = 0.3;
const hubs = { importers: 12, commits: 0.12 };

/** Files that a feature will most likely change: by the words of its spec, by imports, and by what changed together before. */
export function suggest(feature: { title: string; spec: string }, { texts, commits }: Repository, limit = 10): Suggested {
  const found = new Map<string, Suggestion>();
  const add = (path: string, score: number, why: string) => {
    const one = found.get(path) ?? { path, score: 0, why: [] };
    found.set(path, one);
    one.score += score;
    if (!one.why.includes(why)) one.why.push(why);
  };
  const seeds = byWords(feature, texts);
  for (const { path, score, why } of seeds) for (const reason of why) add(path, score / why.length, reason);

  const imports = importsOf(texts);
  const importers = new Map<string, number>();
  for (const targets of imports.values()) for (const target of targets) importers.set(target, (importers.get(target) ?? 0) + 1);
  const changes = new Map<string, number>();
  for (const paths of commits) for (const path of paths) changes.set(path, (changes.get(path) ?? 0) + 1);

  for (const seed of seeds.slice(0, SEEDS)) {
    const near = [...texts.keys()].filter((path) => imports.get(seed.path)?.has(path) || imports.get(path)?.has(seed.path));
    for (const path of near) add(path, (SHARE.imports * seed.score) / Math.sqrt(near.length), `imports, or is imported by, ${seed.path}`);
    const together = commits.filter((paths) => paths.includes(seed.path));
    const counts = new Map<string, number>();
    for (const paths of together) for (const path of paths) if (path !== seed.path) counts.set(path, (counts.get(path) ?? 0) + 1);
    for (const [path, count] of counts)
      if (count > 1)
        add(
          path,
          (SHARE.commits * seed.score * count) / (together.length + 1),
          `changed with ${seed.path}, ${count} of ${together.length} times`,
        );
  }
  const isHub = (path: string) =>
    (importers.get(path) ?? 0) >= hubs.importers || (commits.length >= 20 && (changes.get(path) ?? 0) / commits.length >= hubs.commits);
  const all = [...found.values()].filter(({ path }) => texts.has(path)).sort((a, b) => b.score - a.score || (a.path < b.path ? -1 : 1));
  const worth = all.filter(({ score }) => score >= WORTH * (all[0]?.score ?? 0));
  return { paths: worth.filter(({ path }) => !isHub(path)).slice(0, limit), hubs: worth.filter(({ path }) => isHub(path)).slice(0, 5) };
}

/** A rare word says most, in a path more than in a text; a path that is named outright says all. */
function byWords({ title, spec }: { title: string; spec: string }, texts: Map<string, string>): Suggestion[] {
  const asked = new Map<string, number>();
  for (const word of wordsOf(spec)) asked.set(word, 1);
  for (const word of wordsOf(title)) asked.set(word, 2);
  const files = [...texts].map(([path, text]) => ({ path, named: new Set(wordsOf(path)), said: counted(wordsOf(text)) }));
  const weight = new Map(
    [...asked].map(([word, times]) => {
      const having = files.filter(({ named, said }) => named.has(word) || said.has(word)).length;
      return [word, having === 0 ? 0 : times * Math.log(1 + files.length / having)];
    }),
  );
  return files
    .map(({ path, named, said }) => {
      let score = 0;
      const why = new Set<string>();
      for (const [word, worth] of weight) {
        const times = said.get(word) ?? 0;
        if (named.has(word)) why.add('its path has words of the spec');
        else if (times > 0) why.add('its text has words of the spec');
        score += worth * ((named.has(word) ? 2 : 0) + times / (times + 3));
      }
      if (`${title}\n${spec}`.includes(path) && path.includes('/')) {
        score += 50;
        why.add('the spec names it');
      }
      return { path, score, why: [...why] };
    })
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, 12);
}

function counted(words: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
