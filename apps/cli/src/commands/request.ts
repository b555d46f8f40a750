import type { Request, Yielded } from '@nexus/contract';
import type { Command } from 'commander';
import { overlaps, parseClaim } from '@nexus/paths';
import type { Context } from '../context.ts';
import { CliError, usage } from '../errors.ts';
import { asHolder } from '../held.ts';
import { dirtyPaths, runGit } from '../hook/dirty.ts';
import { repositoryPaths } from '../paths.ts';
import { clean, clockTime, fromNow, shortId, table } from '../text.ts';
import { examples, type Runner } from './command.ts';
import { defined } from './feature-read.ts';

/** Asking for what others hold, and answering who asks. */
export function addRequestCommands(program: Command, run: Runner): void {
  examples(
    program
      .command('request')
      .description('Ask whoever holds a path for it; they, and you, are told at the next tool call')
      .argument('[path...]')
      .option('--reason <text>', 'told to the holder')
      .option('--list', 'who asks whom for what'),
    'nexus request src/auth/login.ts --reason "one import line"',
    'nexus request --list',
  ).action(
    run(async (context, typed: string[], { reason, list }: { reason?: string; list?: boolean }) => {
      if (list === typed.length > 0) throw usage('Name a path to ask for, or give --list.');
      const { id: projectId, client } = await context.project();
      if (list) return showRequests(context, await client.listRequests({ projectId }));
      const session = await (await context.sessions()).openId();
      const paths = await repositoryPaths(typed, context.cwd);
      const asked = await client.requestPaths({ projectId, body: { paths, ...defined({ reason }) } }, { session });
      context.out.data(asked, ({ free, requests }) =>
        [...free.map((path) => `free      ${clean(path)}: claim it, or just edit it`), ...requests.map(describeAsked)].join('\n'),
      );
    }),
  );

  examples(
    program
      .command('yield')
      .description('Give back the claims that cover these paths, and tell who asked; what is uncommitted beside them stays claimed')
      .argument('<path...>')
      .option('--keep <path...>', 'of a wider claim, keep these instead of what is uncommitted'),
    'nexus yield src/auth/login.ts',
    'nexus yield src/auth/ --keep src/auth/token.ts',
  ).action(
    run(async (context, typed: string[], options: { keep?: string[] }) => {
      const { id: projectId, client } = await context.project();
      const paths = await repositoryPaths(typed, context.cwd);
      const keep = options.keep === undefined ? await uncommittedBeside(context, paths) : await repositoryPaths(options.keep, context.cwd);
      const given = await asHolder(context, (session) => client.yieldPaths({ projectId, body: { paths, keep } }, { session }));
      context.out.data(given, describeYielded);
    }),
  );

  examples(
    program
      .command('refuse')
      .description('Keep these paths, and tell who asked for them')
      .argument('<path...>')
      .option('--reason <text>', 'told to who asked'),
    'nexus refuse src/auth/login.ts --reason "half way through, done in an hour"',
  ).action(
    run(async (context, typed: string[], { reason }: { reason?: string }) => {
      const { id: projectId, client } = await context.project();
      const paths = await repositoryPaths(typed, context.cwd);
      const input = { projectId, body: { paths, ...defined({ reason }) } };
      const refused = await asHolder(context, (session) => client.refuseRequests(input, { session }));
      context.out.data(refused, () => (refused.length === 0 ? 'Nobody asks for that.' : refused.map(describeRefused).join('\n')));
    }),
  );
}

/** Uncommitted paths that are not given back themselves: what this session's wider claims are there for. */
async function uncommittedBeside({ worktree }: Context, paths: string[]): Promise<string[]> {
  const here = await worktree();
  if (here === undefined) return [];
  const dirty = await dirtyPaths(runGit, here.toplevel, 10_000);
  if (dirty === undefined)
    throw new CliError('failure', 'GIT_FAILED', 'git does not tell what is uncommitted here. Name what to keep with --keep.');
  const given = paths.flatMap((path) => {
    const parsed = parseClaim(path);
    return parsed.ok ? [parsed.claim] : [];
  });
  const isGiven = (path: string): boolean => {
    const parsed = parseClaim({ path: `./${path}`, kind: 'file' });
    return !parsed.ok || given.some((claim) => overlaps(claim, parsed.claim));
  };
  return [...dirty.keys()].filter((path) => !isGiven(path)).slice(0, 500);
}

function showRequests({ out }: Context, requests: Request[]): void {
  out.data(requests, () =>
    requests.length === 0
      ? ''
      : table(
          ['PATH', 'ASKED BY', 'HELD BY', 'FOR', 'SINCE', 'STATE'],
          requests.map(({ path, askedBy, holder, askedAt, state, yieldsAt }) => [
            path,
            askedBy === null ? 'the project' : `${askedBy.engineerName}/${askedBy.agent} ${shortId(askedBy.sessionId)}`,
            `${holder.engineerName}/${holder.agent} ${shortId(holder.sessionId)}`,
            holder.featureSlug ?? 'ad hoc',
            fromNow(askedAt),
            state === 'open' && yieldsAt !== null ? `yields ${fromNow(yieldsAt)}` : state,
          ]),
          out.columns,
        ),
  );
  if (requests.length === 0) out.note('Nobody asks for anything.');
}

function describeAsked({ path, heldPath, holder, yieldsAt, givesBack }: Request): string {
  const who = `${clean(holder.engineerName)} (${clean(holder.agent)}, session ${shortId(holder.sessionId)})`;
  const as = clean(heldPath) === clean(path) ? '' : `, who holds ${clean(heldPath)}`;
  const then =
    givesBack !== null
      ? givesBack === holder.sessionId
        ? 'they ask you too, and give back first: their session is the younger'
        : `they ask you too, and yours is the younger session: commit, then \`nexus yield\` what they ask for (nexus request --list)`
      : yieldsAt !== null
        ? `given back at ${clockTime(yieldsAt)} unless they refuse`
        : 'you are told when they answer';
  return `asked     ${clean(path)} of ${who}${as}: ${then}`;
}

const describeYielded = ({ released, kept, requests }: Yielded): string =>
  [
    released.length === 0 ? 'This session holds nothing there.' : `Gave back ${released.map(clean).join(', ')}`,
    ...(kept.length > 0 ? [`  still claimed: ${kept.map(clean).join(', ')}`] : []),
    ...requests.flatMap(({ askedBy, path }) =>
      askedBy === null ? [] : [`  ${clean(askedBy.engineerName)} asked for ${clean(path)}, and is told`],
    ),
  ].join('\n');

const describeRefused = ({ path, askedBy }: Request): string =>
  `Refused ${clean(path)}${askedBy === null ? '' : ` to ${clean(askedBy.engineerName)} (${clean(askedBy.agent)}), who is told`}`;
