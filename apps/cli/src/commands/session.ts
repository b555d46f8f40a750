import type { ActiveSession, Session } from '@nexus/contract';
import type { Command } from 'commander';
import type { z } from 'zod';
import type { Context } from '../context.ts';
import { dropExport } from '../held.ts';
import { checkoutOf, commitOf } from '../finished.ts';
import { runGit } from '../hook/dirty.ts';
import { unlandedOf } from '../hook/unlanded.ts';
import { CliError } from '../errors.ts';
import { machineId } from '../machine.ts';
import { clean, fromNow, shortId, table } from '../text.ts';
import { keepWork } from '../wip/keep.ts';
import { moment } from '../conflicts.ts';
import { collected, examples, type Runner } from './command.ts';
import { defined } from './feature-read.ts';

export function addSessionCommands(program: Command, run: Runner): void {
  const session = examples(
    program.command('session').description('This terminal or agent as a session, and those of others'),
    'nexus session list',
    'nexus session end --unlanded login-form',
  );

  examples(
    session
      .command('start')
      .description('Open a session for this terminal or agent, or get the one that is open')
      .option('--parent <id>', 'make it a child of this session: it works beside its claims and ends with it'),
    'nexus session start',
    'export NEXUS_SESSION=$(nexus session start --json | jq -r .id)',
  ).action(
    run(async ({ sessions, out }, options: { parent?: string }) => {
      const { session: opened } = await (await sessions()).open({ parentId: options.parent });
      out.data(opened, describe);
    }),
  );

  examples(session.command('list').description('Live sessions of the project'), 'nexus session list --json').action(
    run(async ({ project, out }) => {
      const { id: projectId, client } = await project();
      const active = await client.activeSessions({ projectId });
      out.data(active, () =>
        active.length === 0
          ? ''
          : table(['SESSION', 'ENGINEER', 'AGENT', 'STATUS', 'BRANCH', 'LAST BEAT', 'STARTED'], active.map(row), out.columns),
      );
      if (active.length === 0) out.note('No live sessions.');
    }),
  );

  examples(session.command('show').description('The session that commands here act in; opens none'), 'nexus session show').action(
    run(async ({ project, sessions, out }) => {
      const { id: projectId, client } = await project();
      const id = await (await sessions()).knownId();
      if (id === undefined)
        throw new CliError('notFound', 'NOT_FOUND', 'This terminal has no session yet. A pick opens one, or `nexus session start`.');
      const status = await client.status({ projectId });
      const found = status.sessions.find((one) => one.id === id);
      if (found === undefined)
        throw new CliError('notFound', 'NOT_FOUND', `Session ${shortId(id)} is over. The next pick opens a new one.`);
      const holds = status.activeFeatures.filter((feature) => feature.heldBy?.sessionId === id);
      out.data({ ...found, holds: holds.map(({ slug, fence, touches }) => ({ featureSlug: slug, fence, touches })) }, () =>
        [describe(found), ...holds.map(({ slug, fence }) => `  holds    ${clean(slug)} (fence ${fence ?? '-'})`)].join('\n'),
      );
    }),
  );

  examples(
    session
      .command('end')
      .description('End this session; its holds are released, or parked where work is not committed')
      .option('--unlanded <slug...>', 'park this feature as well (repeat); parked ones wait 24 h for `nexus feature resume`', collected),
    'nexus session end',
    'nexus session end --unlanded login-form',
  ).action(
    run(async (context, options: { unlanded?: string[] }) => {
      const { id: projectId, client } = await context.project();
      const sessions = await context.sessions();
      const sessionId = await sessions.knownId();
      if (sessionId === undefined) throw new CliError('notFound', 'NOT_FOUND', 'This terminal has no session to end.');
      const { activeFeatures, claims } = await client.status({ projectId });
      const own = activeFeatures.filter((feature) => feature.heldBy?.sessionId === sessionId);
      const pathsOf = (slug: string): string[] => claims.filter(({ featureSlug }) => featureSlug === slug).map(({ filePath }) => filePath);
      const worktree = await context.worktree();
      const held = own.map(({ slug }) => slug);
      const unfinished =
        worktree &&
        (await unlandedOf(
          runGit,
          worktree.toplevel,
          held.map((slug) => ({ slug, paths: pathsOf(slug) })),
        ));
      const unlanded = [...new Set([...(options.unlanded ?? []), ...(unfinished ?? [])])];
      if (unlanded.length > 0) await keepUnlanded(context, sessionId);
      const checkout = await checkoutOf(context);
      const mine = claims.filter((claim) => claim.sessionId === sessionId && claim.mode === 'write').map(({ filePath }) => filePath);
      const commit = checkout && (await commitOf(checkout, mine));
      const body = { reason: 'ended' as const, unlanded, ...defined({ commit }) };
      const ended = await client.endSession({ projectId, sessionId, body }, { session: sessionId });
      await sessions.forget();
      for (const slug of held.filter((one) => !unlanded.includes(one))) await dropExport(context, slug);
      const parked = held.filter((slug) => unlanded.includes(slug));
      for (const slug of unlanded.filter((one) => !held.includes(one)))
        context.out.warn(`${clean(slug)} was not held here, so it is not parked`);
      context.out.data(
        ended,
        () => `Ended session ${shortId(sessionId)}${parked.length > 0 ? `; parked ${parked.map(clean).join(', ')}` : ''}`,
      );
    }),
  );
}

/** Whoever resumes gets what is not committed as well, where git can keep it. */
async function keepUnlanded(context: Context, sessionId: string): Promise<void> {
  const { id: projectId, client } = await context.project();
  const worktree = await context.worktree();
  if (worktree === undefined) return;
  const machine = machineId((await context.settings()).dirs.state);
  const at = { toplevel: worktree.toplevel, gitDir: worktree.gitDir, machine };
  try {
    await keepWork({ client, projectId, sessionId, at, type: 'auto_periodic', left: true });
  } catch (error) {
    context.out.warn(`what is not committed was not kept: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '-');

const row = ({ session, engineer }: z.infer<typeof ActiveSession>): string[] => [
  shortId(session.id),
  engineer.name,
  session.agent,
  session.status,
  text(session.metadata['gitBranch']),
  fromNow(session.lastHeartbeat),
  fromNow(session.createdAt),
];

function describe(session: Session): string {
  const facts = [
    ['id', session.id],
    ['agent', `${clean(session.agent)} ${clean(session.agentSessionId ?? '(default session)')}`],
    ['status', session.status],
    [
      'lease',
      `${session.leaseSeconds} s, ${session.keeper ? 'renewed by the keeper' : 'no keeper'}${session.expiresAt ? `, until ${moment(session.expiresAt)}` : ''}`,
    ],
    ...(session.parentId ? [['parent', shortId(session.parentId)]] : []),
  ];
  return [`Session ${shortId(session.id)}`, ...facts.map(([name = '', value = '']) => `  ${name.padEnd(8)} ${value}`)].join('\n');
}
