import type { Client } from '@nexus/client';
import type { Check, Claim, HeldPaths } from '@nexus/contract';
import type { Command } from 'commander';
import type { z } from 'zod';
import { describeConflicts, moment } from '../conflicts.ts';
import { exitCodes, usage } from '../errors.ts';
import { checkoutOf, commitOf, headBody, lacking, pullFirst } from '../finished.ts';
import { asHolder } from '../held.ts';
import type { Output } from '../output.ts';
import { repositoryPaths } from '../paths.ts';
import { keepAround } from '../takeover.ts';
import { clean, clockTime, shortId, table } from '../text.ts';
import { duration, orWait, type WaitOption, waitOption } from '../wait.ts';
import { examples, type Runner, wholeNumber } from './command.ts';
import { defined } from './feature-read.ts';
import { addHistoryCommand } from './history.ts';

export function addClaimsCommands(program: Command, run: Runner): void {
  const claims = examples(
    program.command('claims').alias('claim').description('Held paths: look, check, claim one more, give back'),
    'nexus claims check src/auth/login.ts',
    'nexus claims add src/auth/login.ts',
    "nexus claims add 'src/**/*.test.ts'        # a pattern, quoted: `*` and `?` within a name, `**` for any directories",
  );

  examples(claims.command('list').description('Every held path of the project'), 'nexus claims list --json').action(
    run(async ({ project, out }) => {
      const { id: projectId, client } = await project();
      showClaims(out, await client.listClaims({ projectId }));
    }),
  );

  examples(claims.command('mine').description('The paths that this session holds'), 'nexus claims mine').action(
    run(async ({ project, sessions, out }) => {
      const { id: projectId, client } = await project();
      const session = await (await sessions()).knownId();
      // Without a session of its own, this terminal holds nothing; the server would answer for the key's default session.
      showClaims(out, session === undefined ? [] : await client.myClaims({ projectId }, { session }));
    }),
  );

  examples(
    claims
      .command('check')
      .description('Would these paths be free for this session? Changes nothing; exit code 3 when one is held')
      .argument('<path...>'),
    'nexus claims check src/auth/login.ts src/auth/session.ts',
    "nexus claims check 'src/**/*.ts'",
  ).action(
    run(async (context, typed: string[]) => {
      const { project, sessions, out, cwd, exitWith } = context;
      const { id: projectId, client } = await project();
      const paths = await repositoryPaths(typed, cwd);
      const body = { paths, ...(await headBody(context)) };
      const check = await client.checkClaims({ projectId, body }, { session: await (await sessions()).knownId() });
      const checkout = await checkoutOf(context);
      if (checkout) for (const one of check.paths) one.finished = await lacking(checkout, one.finished ?? []);
      out.data(check, describeCheck);
      if (check.paths.some(({ state }) => state === 'held')) exitWith(exitCodes.conflict);
    }),
  );

  examples(
    claims
      .command('add')
      .description('Claim paths beside those of a feature; all of them or none')
      .argument('<path...>')
      .option('--fence <number>', 'extend this hold of the session', wholeNumber)
      .option('--feature <slug>', 'extend the hold of this feature')
      .option('--reason <text>', 'shown to whoever meets the claim')
      .option(...waitOption, duration),
    'nexus claims add src/auth/login.ts',
    'nexus claims add --wait 5m package.json',
    'nexus claims add --feature login-form src/mail/',
    "nexus claims add 'db/migrations/2026*' 'ro:docs/*.md'",
  ).action(
    run(
      async (
        context,
        typed: string[],
        { fence, feature, reason, wait }: { fence?: number; feature?: string; reason?: string } & WaitOption,
      ) => {
        const { project, sessions, out, cwd } = context;
        const { id: projectId, client } = await project();
        const own = await sessions();
        // One more path for a hold must fail when the session was lost with that hold; only ad hoc claims may begin anew.
        const session = fence === undefined && feature === undefined ? await own.openId() : own.acting();
        const paths = await repositoryPaths(typed, cwd);
        const claim = () => client.claim({ projectId, body: { paths, ...defined({ fence, featureSlug: feature, reason }) } }, { session });
        const held = await orWait(context, { ...(wait === undefined ? {} : { wait }) }, session, { paths, ...defined({ reason }) }, claim);
        await keepAround(context, await own.knownId());
        out.data(held, (result) => describeHeld('Claimed', result));
      },
    ),
  );

  examples(
    claims
      .command('release')
      .description('Give paths back; without any, all ad hoc claims of this session')
      .argument('[path...]')
      .option('--fence <number>', 'shrink this hold of the session', wholeNumber),
    'nexus claims release src/auth/login.ts',
    'nexus claims release',
  ).action(
    run(async (context, typed: string[], { fence }: { fence?: number }) => {
      if (typed.length === 0 && fence !== undefined)
        throw usage('Name the paths that the hold shall give back. A whole feature goes with `nexus feature release`.');
      const { id: projectId, client } = await context.project();
      const paths = typed.length === 0 ? undefined : await repositoryPaths(typed, context.cwd);
      const checkout = await checkoutOf(context);
      const held = await asHolder(context, async (session) => {
        const commit = checkout && (await commitOf(checkout, paths ?? (await adHocPaths(client, projectId, session))));
        return client.releaseClaims({ projectId, body: defined({ paths, fence, commit }) }, { session });
      });
      context.out.data(held, (result) => describeHeld('Released', result));
    }),
  );

  addHistoryCommand(claims, run);
  examples(
    claims.command('refresh').description('Renew this session; says which paths it holds').argument('[path...]'),
    'nexus claims refresh',
  ).action(
    run(async (context, typed: string[]) => {
      const { id: projectId, client } = await context.project();
      const paths = typed.length === 0 ? undefined : await repositoryPaths(typed, context.cwd);
      const answer = await asHolder(context, (session) => client.refreshClaims({ projectId, body: defined({ paths }) }, { session }));
      context.out.data(answer, ({ refreshed, notOwned }) =>
        [...refreshed.map((path) => `held      ${clean(path)}`), ...notOwned.map((path) => `not held  ${clean(path)}`)].join('\n'),
      );
    }),
  );
}

async function adHocPaths(client: Client, projectId: string, session: string): Promise<string[]> {
  const held = await client.myClaims({ projectId }, { session }).catch(() => []);
  return held.filter(({ featureSlug, mode }) => featureSlug === null && mode === 'write').map(({ filePath }) => filePath);
}

function showClaims(out: Output, claims: Claim[]): void {
  out.data(claims, () =>
    claims.length === 0 ? '' : table(['PATH', 'MODE', 'FEATURE', 'HOLDER', 'SESSION', 'SINCE', 'UNTIL'], claims.map(row), out.columns),
  );
  if (claims.length === 0) out.note('No claims.');
}

const row = (claim: Claim): string[] => [
  claim.filePath,
  claim.mode,
  claim.featureSlug ?? 'ad hoc',
  `${claim.engineerName}/${claim.agent}`,
  shortId(claim.sessionId),
  clockTime(claim.claimedAt),
  claim.parked ? 'parked' : claim.expiresAt === null ? '-' : clockTime(claim.expiresAt),
];

function describeCheck({ paths, degraded }: z.infer<typeof Check>): string {
  const lines = paths.flatMap(({ path, state, conflicts, waiting, finished }) => [
    `${state.padEnd(4)}  ${clean(path)}`,
    ...(conflicts.length > 0 ? [describeConflicts(conflicts)] : []),
    ...(waiting ?? []).map(
      ({ engineerName, agent, featureSlug, since }) =>
        `    ${clean(engineerName)} (${clean(agent)}) waits for ${clean(featureSlug ?? 'it')} since ${moment(since)}, and comes first`,
    ),
    ...(finished ?? []).map((one) => `    ${pullFirst(one)}`),
  ]);
  return [...lines, ...(degraded ? ['(answered from the ledger: the lease store is away)'] : [])].join('\n');
}

function describeHeld(verb: string, { fence, featureSlug, paths, changed }: HeldPaths): string {
  const of = featureSlug === null ? 'ad hoc' : `for ${clean(featureSlug)}`;
  return [
    `${verb} ${changed.length === 0 ? 'nothing new' : changed.map(clean).join(', ')}`,
    `  fence ${fence}, ${of}, holding ${paths.length === 0 ? 'nothing' : paths.map(clean).join(', ')}`,
  ].join('\n');
}
