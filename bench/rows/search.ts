import { createClient } from '../../packages/client/src/index.ts';
import { EXPORT_FORMAT, type ProjectExport } from '../../packages/contract/src/index.ts';
import type { TeamEngines } from '../lib/engines.ts';
import { readNotes, readQuestions } from '../lib/notes.ts';
import { sendLoad, startServer } from '../lib/processes.ts';
import { makeProject } from '../lib/project.ts';
import { startStandIn } from '../lib/stand-in.ts';
import type { Context, Measured, Row } from '../lib/row.ts';

const recallGoal = 0.85;
const manyGoal = 150;
/** In one project. PGlite runs in one thread beside the server: it gets a tenth. */
const many = { embedded: 10_000, team: 100_000 };
const connections = 8;

export const search: Row = { name: 'search', about: 'answers found among the first five; the time of a search in a big project', run };

async function run(context: Context): Promise<Measured[]> {
  const { EMBEDDINGS_URL = '', EMBEDDINGS_MODEL = '', EMBEDDINGS_API_KEY = '' } = process.env;
  const byMeaning = EMBEDDINGS_URL ? [await recall(context, { EMBEDDINGS_URL, EMBEDDINGS_MODEL, EMBEDDINGS_API_KEY })] : [];
  if (!EMBEDDINGS_URL) context.note('search: recall by meaning: not measured, for EMBEDDINGS_URL names no provider');
  const standIn = startStandIn();
  try {
    const made = { EMBEDDINGS_URL: standIn.url, EMBEDDINGS_MODEL: 'made-up' };
    return [await recall(context), ...byMeaning, await speed(context), await speed(context, made)];
  } finally {
    await standIn.stop();
  }
}

/** What names a provider of embeddings to a server. */
type Provider = { EMBEDDINGS_URL: string; EMBEDDINGS_MODEL: string; EMBEDDINGS_API_KEY?: string };

const environment = async ({ engines, team }: Context, name: string): Promise<{ DATABASE_URL?: string; REDIS_URL?: string }> =>
  engines === 'team' && team ? { DATABASE_URL: await team.database(name), REDIS_URL: team.redisUrl } : {};

/** How many of the notes that answer a question are among the first five hits; the mean over all questions. */
async function recall(context: Context, provider?: Provider): Promise<Measured> {
  const env = { ...(await environment(context, provider ? 'recall_hybrid' : 'recall')), ...provider, LIMIT_WRITE: '0', LIMIT_READ: '0' };
  const server = await startServer(env, context.bunArgs);
  try {
    const { projectId, apiKey } = await makeProject(server.url, 0);
    const client = createClient({ server: server.url, apiKey });
    const names = new Map<string, string>();
    for (const { name, text } of readNotes()) names.set((await client.addNote({ projectId, body: { content: text } })).id, name);
    if (provider) await allRead(server.url);
    const questions = readQuestions();
    const shares: number[] = [];
    const missed: string[] = [];
    for (const { question, answers } of questions) {
      const { items, mode } = await client.search({ projectId, query: { q: question, limit: 5 } });
      if (provider && mode !== 'hybrid') throw new Error('The embeddings provider gave no answer in time.');
      const found = items.map(({ id }) => names.get(id) ?? '');
      shares.push(answers.filter((name) => found.includes(name)).length / answers.length);
      if (!answers.every((name) => found.includes(name))) missed.push(question);
    }
    const ours = shares.reduce((sum, share) => sum + share) / shares.length;
    const what = `recall@5, ${questions.length} questions over ${names.size} notes, by words ${provider ? 'and meaning' : 'alone'}`;
    const more = `missed: ${missed.join('; ') || 'none'}`;
    return { what, unit: '', ours, baseline: undefined, ratio: undefined, goal: `≥ ${recallGoal}`, met: ours >= recallGoal, more };
  } finally {
    await server.stop();
  }
}

/** The questions again, in a project with many notes made of the same words. */
async function speed(context: Context, provider?: Provider): Promise<Measured> {
  const { engines, quick, note, bunArgs } = context;
  const count = quick ? many[engines] / 10 : many[engines];
  const database = await environment(context, provider ? 'search_hybrid' : 'search');
  const env = { ...database, ...provider, API_KEY_SALT: crypto.randomUUID(), LIMIT_READ: '0', LIMIT_CLAIM: '0' };
  let server = await startServer(env, bunArgs);
  try {
    const { projectId, apiKey } = await makeProject(server.url, 0);
    const began = Date.now();
    if (context.team && engines === 'team') {
      // As after an upgrade: the notes are there, and the next start makes them findable.
      await server.stop();
      await context.team.query(env.DATABASE_URL ?? '', notesSql(projectId, count));
      server = await startServer(env, bunArgs);
      await findable(context.team, env.DATABASE_URL ?? '', projectId, count);
    } else {
      const client = createClient({ server: server.url, apiKey, timeout: 60_000 });
      await client.importProject({ projectId, body: notesExport(count) });
    }
    note(`search: ${count} notes made in ${((Date.now() - began) / 1000).toFixed(0)} s`);
    if (provider) note(`search: read at ${Math.round(count / (await allRead(server.url)))} notes a second; the provider takes no time`);
    const requests = readQuestions().map(({ question }) => ({
      kind: 'search',
      method: 'GET',
      path: `/api/projects/${projectId}/search?q=${encodeURIComponent(question)}`,
      headers: { authorization: `Bearer ${apiKey}`, accept: 'application/json' },
    }));
    const spread = Array.from({ length: connections }, (_, n) => requests.filter((_, at) => at % connections === n));
    const result = await sendLoad({ url: server.url, connections: spread, warmSeconds: 1, seconds: quick ? 4 : 10, perSecond: 20 });
    const { p50 = NaN, p99 = NaN } = result.kinds['search'] ?? {};
    return {
      what: `a search ${provider ? 'by words and meaning ' : ''}among ${count.toLocaleString('en')} notes, 20 a second: p99`,
      unit: 'ms',
      ours: p99,
      baseline: undefined,
      ratio: undefined,
      ...(engines === 'team' && !provider ? { goal: `< ${manyGoal}`, met: p99 < manyGoal } : { goal: '-', met: true }),
      more: `median ${p50.toFixed(1)} ms`,
    };
  } finally {
    await server.stop();
  }
}

/** Waits until the provider has read everything; answers the seconds that took. */
async function allRead(url: string): Promise<number> {
  const began = Date.now();
  const unread = async () => /^nexus_search_unread (\d+)$/m.exec(await (await fetch(`${url}/api/metrics`)).text())?.[1];
  for (let none = 0; none < 2; none = (await unread()) === '0' ? none + 1 : 0, await Bun.sleep(500))
    if (Date.now() - began > 1_200_000) throw new Error('The provider did not read everything.');
  return (Date.now() - began) / 1000;
}

/** Two of the notes each, another pair every time. */
const pair = (texts: string[], n: number) => `${texts[n % texts.length]} ${texts[(n * 7 + Math.floor(n / texts.length)) % texts.length]}`;

function notesSql(projectId: string, count: number): string {
  const texts = readNotes().map(({ text }) => `'${text.replaceAll("'", "''")}'`);
  return `insert into learnings (id, project_id, engineer_id, scope, kind, tags, content)
    select gen_random_uuid(), '${projectId}', (select engineer_id from members where project_id = '${projectId}'), 'project', 'note', '[]',
      t[1 + n % ${texts.length}] || ' ' || t[1 + (n * 7 + n / ${texts.length}) % ${texts.length}]
    from generate_series(1, ${count}) n, (select array[${texts.join(', ')}] as t) texts`;
}

function notesExport(count: number): ProjectExport {
  const texts = readNotes().map(({ text }) => text);
  const common = { scope: 'project', kind: 'note', fence: null, feature: null } as const;
  const written = { author: { name: 'Bench', email: 'bench@example.org' }, createdAt: '2026-01-01T00:00:00.000Z' };
  return {
    format: EXPORT_FORMAT,
    project: { name: 'Bench', defaultBranch: 'main', policy: {} },
    features: [],
    learnings: Array.from({ length: count }, (_, n) => ({ ...common, ...written, tags: [], content: pair(texts, n) })),
    decisions: [],
  };
}

async function findable(team: TeamEngines, database: string, projectId: string, count: number): Promise<void> {
  const found = async () =>
    Number((await team.query(database, `select count(*)::text as n from search_entries where project_id = '${projectId}'`))[0]?.['n']);
  for (const end = Date.now() + 600_000; (await found()) < count; await Bun.sleep(1000))
    if (Date.now() > end) throw new Error('The notes did not become findable.');
  await team.query(database, 'analyze');
}
