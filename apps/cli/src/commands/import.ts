import { type Client, NexusError } from '@nexus/client';
import type { Feature } from '@nexus/contract';
import type { Command } from 'commander';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Context } from '../context.ts';
import { exitCodes, interrupted, problemOf, usage } from '../errors.ts';
import { clean, table } from '../text.ts';
import { type Planned, planImport, type SpecText } from '../transfer/plan.ts';
import { examples, type Runner } from './command.ts';

type Options = { ready?: boolean; dryRun?: boolean };
type Outcome = { path: string; slug: string | null; outcome: 'created' | Planned['outcome'] | 'not tried'; reason?: string };

export function addImportCommand(program: Command, run: Runner): void {
  examples(
    program
      .command('import')
      .description('Create a feature from each Markdown file of a folder: all of a file, or nothing of it')
      .argument('<folder>', 'files as `nexus feature create --from` takes them; the name of a file is its slug unless it says another')
      .option('--ready', 'offer them for picking at once')
      .option('--dry-run', 'only tell what would happen'),
    'nexus import specs/ --dry-run',
    'nexus import specs/ --ready',
  ).action(
    run(async (context, folder: string, { ready = false, dryRun = false }: Options) => {
      const files = specsIn(context, resolve(context.cwd, folder));
      if (files.length === 0) throw usage(`${folder} holds no Markdown files.`);
      const { id: projectId, client } = await context.project();
      const plan = planImport(files, await allFeatures(client, projectId), { ready });
      const outcomes = dryRun
        ? plan.map(({ path, slug, outcome, ...rest }) => ({ path, slug, outcome, ...reasonOf(rest) }))
        : await create(context, plan);
      context.out.data({ dryRun, files: outcomes, ...counted(outcomes) }, () => describe(outcomes, context.out.columns));
      const bad = outcomes.filter(({ outcome }) => outcome === 'failed' || outcome === 'not tried').length;
      if (bad > 0) context.exitWith(exitCodes.failure);
      else if (outcomes.some(({ outcome }) => outcome === 'differs')) context.exitWith(exitCodes.conflict);
    }),
  );
}

const reasonOf = (rest: object): { reason?: string } =>
  'reason' in rest && typeof rest.reason === 'string' ? { reason: rest.reason } : {};

/** Each file is one commit of the server. What needs the server and finds it away ends the run, and says what is left. */
async function create(context: Context, plan: Planned[]): Promise<Outcome[]> {
  const { id: projectId, client } = await context.project();
  const missing = new Set<string>();
  let stopped: string | undefined;
  const outcomes: Outcome[] = [];
  for (const [position, item] of plan.entries()) {
    const { path, slug } = item;
    let outcome: Outcome;
    if (item.outcome !== 'create') outcome = { path, slug, outcome: item.outcome, reason: item.reason };
    else if (stopped !== undefined || context.io.signal.aborted)
      outcome = { path, slug, outcome: 'not tried', reason: stopped ?? 'interrupted' };
    else {
      const lacks = (item.body.dependsOn ?? []).filter((other) => missing.has(other));
      const failure =
        lacks.length > 0
          ? `depends on ${lacks.join(', ')}, which failed`
          : await refused(() => client.createFeature({ projectId, body: item.body }), context);
      outcome =
        failure === undefined
          ? { path, slug, outcome: 'created' }
          : { path, slug, outcome: 'failed', reason: typeof failure === 'string' ? failure : failure.message };
      if (typeof failure === 'object') stopped = 'the server cannot be reached';
      if (failure !== undefined && slug !== null) missing.add(slug);
    }
    outcomes.push(outcome);
    context.out.note(
      `[${position + 1}/${plan.length}] ${outcome.outcome} ${clean(path)}${outcome.reason ? `: ${clean(outcome.reason)}` : ''}`,
    );
  }
  return outcomes;
}

/** Why it was not created: a sentence when the file is at fault, a problem when the rest would meet it too. */
async function refused(call: () => Promise<Feature>, { io }: Context): Promise<undefined | string | { message: string }> {
  for (;;) {
    try {
      await call();
      return undefined;
    } catch (error) {
      if (error instanceof NexusError && error.code === 'RATE_LIMITED') {
        await patience(io.signal);
        continue;
      }
      const { exit, message } = problemOf(error);
      return exit === exitCodes.unreachable || exit === exitCodes.auth ? { message } : message;
    }
  }
}

/** A server takes so many changes a minute; a big folder takes as long as that allows. */
function patience(signal: AbortSignal): Promise<void> {
  return new Promise((wake, fail) => {
    if (signal.aborted) return fail(interrupted());
    const timer = setTimeout(wake, 5000);
    signal.addEventListener('abort', () => (clearTimeout(timer), fail(interrupted())), { once: true });
  });
}

function specsIn(context: Context, folder: string): SpecText[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw usage(`${folder}: there is no such folder.`);
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names
    .filter(
      (name) => /\.(md|markdown)$/i.test(name) && !name.split(/[\\/]/).some((part) => part.startsWith('.') || part === 'node_modules'),
    )
    .toSorted()
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => ({ path: relative(context.cwd, path) || path, text: readFileSync(path, 'utf8') }));
}

async function allFeatures(client: Client, projectId: string): Promise<Feature[]> {
  const found: Feature[] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await client.listFeatures({ projectId, query: { limit: 100, ...(cursor ? { cursor } : {}) } });
    found.push(...page.items);
    cursor = page.nextCursor;
  }
  return found;
}

const counted = (outcomes: Outcome[]): Record<string, number> =>
  Object.fromEntries(
    [...new Set(outcomes.map(({ outcome }) => outcome))].map((name) => [name, outcomes.filter(({ outcome }) => outcome === name).length]),
  );

function describe(outcomes: Outcome[], columns: number | undefined): string {
  const rows = outcomes.map(({ outcome, slug, path, reason = '' }) => [outcome, slug ?? '-', path, reason]);
  const sum = Object.entries(counted(outcomes)).map(([name, count]) => `${count} ${name}`);
  return `${table(['OUTCOME', 'SLUG', 'FILE', 'WHY'], rows, columns)}\n\n${sum.join(', ')}`;
}
