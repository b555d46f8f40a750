import type { HeldOnce, Stats, Why, Written } from '@nexus/contract';
import { type Command, InvalidArgumentError } from 'commander';
import { describeConflicts, moment } from '../conflicts.ts';
import type { Output } from '../output.ts';
import { titleOf } from '../patch/found.ts';
import { repositoryPaths } from '../paths.ts';
import { clean, clockTime, fromNow, shortId, table } from '../text.ts';
import { examples, type Runner, wholeNumber } from './command.ts';
import { defined } from './feature-read.ts';

/** Of one path: everything that may explain a refusal. */
export function addWhyCommand(program: Command, run: Runner): void {
  examples(
    program
      .command('why')
      .description('A path: who holds it, who waits or asks for it, who had it last, what conflicts it caused')
      .argument('<path>'),
    'nexus why src/auth/login.ts',
    'nexus why src/auth/ --json',
  ).action(
    run(async ({ project, out, cwd }, typed: string) => {
      const { id: projectId, client } = await project();
      const [path = typed] = await repositoryPaths([typed], cwd);
      out.data(await client.why({ projectId, query: { path } }), describeWhy);
    }),
  );
}

export function addStatsCommand(program: Command, run: Runner): void {
  examples(
    program
      .command('stats')
      .description('Contention: hot paths, blocked time, conflicts prevented, denials per 100 edits')
      .option('--since <when>', 'such as 24h, 7d or 2026-01-31; default: 7d', sinceWhen),
    'nexus stats',
    'nexus stats --since 24h --json',
  ).action(
    run(async ({ project, out }, { since }: { since?: string }) => {
      const { id: projectId, client } = await project();
      out.data(await client.stats({ projectId, query: defined({ since }) }), (stats) => describeStats(stats, out));
    }),
  );
}

export function addHistoryCommand(claims: Command, run: Runner): void {
  examples(
    claims
      .command('history')
      .description('Who held what, when, and how it ended; newest first')
      .argument('[path]', 'only holds that had something overlapping it')
      .option('--session <id>', 'only those of this session')
      .option('--limit <number>', 'at most this many', wholeNumber)
      .option('--cursor <cursor>', 'go on where a page ended'),
    'nexus claims history src/auth/',
    'nexus claims history --limit 10 --json',
  ).action(
    run(async ({ project, out, cwd }, typed: string | undefined, options: { session?: string; limit?: number; cursor?: string }) => {
      const { id: projectId, client } = await project();
      const [path] = typed === undefined ? [] : await repositoryPaths([typed], cwd);
      const page = await client.history({ projectId, query: defined({ path, ...options }) });
      out.data(page, ({ items }) =>
        items.length === 0
          ? ''
          : table(['FENCE', 'WHO', 'SESSION', 'FOR', 'FROM', 'TO', 'ENDED', 'WROTE', 'PATHS'], items.map(row), out.columns),
      );
      if (page.items.length === 0) out.note('Nothing was held.');
      if (page.nextCursor !== null) out.note(`More: --cursor ${page.nextCursor}`);
    }),
  );
}

const writtenIn = ({ count, undeclared, unwritten }: Written): string =>
  [
    String(count),
    ...(undeclared.length > 0 ? [`${undeclared.length} undeclared`] : []),
    ...(unwritten.length > 0 ? [`${unwritten.length} unwritten`] : []),
  ].join(', ');

const row = (hold: HeldOnce): string[] => [
  String(hold.fence),
  `${hold.engineerName}/${hold.agent}`,
  shortId(hold.sessionId),
  hold.featureSlug ?? 'ad hoc',
  clockTime(hold.grantedAt),
  hold.endedAt === null ? '-' : clockTime(hold.endedAt),
  hold.endedAs ?? (hold.parked ? 'parked' : 'open'),
  hold.written === null ? '-' : writtenIn(hold.written),
  hold.paths.slice(0, 3).join(' ') + (hold.paths.length > 3 ? ` and ${hold.paths.length - 3} more` : ''),
];

function describeWhy({ path, heldBy, waiting, requests, patches, lastHeld, lastCommit, writtenBy, conflicts }: Why): string {
  const name = clean(path);
  const asking = requests.filter(({ state }) => state === 'open');
  return [
    heldBy.length === 0 ? `${name} is free.` : `${name} is held:\n${describeConflicts(heldBy)}`,
    ...waiting.map(
      ({ engineerName, agent, featureSlug, since }) =>
        `waits    ${clean(engineerName)} (${clean(agent)}) for ${clean(featureSlug ?? 'it')}, since ${moment(since)}`,
    ),
    ...asking.map(
      ({ path: wanted, askedBy, askedAt, reason }) =>
        `asks     ${askedBy === null ? 'the project' : `${clean(askedBy.engineerName)} (${clean(askedBy.agent)})`} for ${clean(wanted)}, since ${moment(askedAt)}${reason === null ? '' : `: ${clean(reason)}`}`,
    ),
    // A server of before patches tells none.
    ...(patches ?? []).map((patch) => `patch    ${titleOf(patch)}${patch.why === null ? '' : `: ${clean(patch.why)}`}`),
    lastHeld === null || lastHeld.endedAt === null
      ? 'before   nobody held it'
      : `before   ${clean(lastHeld.engineerName)} (${clean(lastHeld.agent)}, session ${shortId(lastHeld.sessionId)}) for ${clean(lastHeld.featureSlug ?? 'ad hoc work')}, ${lastHeld.endedAs ?? 'ended'} ${moment(lastHeld.endedAt)}`,
    ...(lastCommit === null
      ? []
      : [`commit   ${lastCommit.commit.slice(0, 12)} by ${clean(lastCommit.engineerName)}, ${moment(lastCommit.at)}`]),
    ...writtenBy.slice(0, 3).map(({ path: written, at, engineerName, agent, featureSlug, declared, explanation }) => {
      const who = `${clean(engineerName)} (${clean(agent)}) for ${clean(featureSlug ?? 'ad hoc work')}`;
      const said = declared ? '' : `, undeclared${explanation === null ? '' : `: ${clean(explanation)}`}`;
      return `written  ${written === path ? '' : `${clean(written)} `}by ${who}, ${moment(at)}${said}`;
    }),
    conflicts.refused + conflicts.denied === 0
      ? 'caused   no conflicts in 30 days'
      : `caused   ${conflicts.refused} refused picks and claims, ${conflicts.denied} denied edits and checks in 30 days, the last ${conflicts.lastAt === null ? '-' : fromNow(conflicts.lastAt)}`,
    ...(conflicts.blockedMinutes > 0 ? [`blocked  ${conflicts.blockedMinutes} min of waiting in 30 days`] : []),
  ].join('\n');
}

function describeStats({ since, edits, conflictsPrevented, holds, waits, requests, writes, hot }: Stats, out: Output): string {
  const facts: [string, string][] = [
    ['since', moment(since)],
    ['edits', `${edits.tried} seen by guards, ${edits.denied} denied: ${edits.deniedPer100} of 100`],
    ['conflicts prevented', `${conflictsPrevented.refused} picks and claims, ${conflictsPrevented.denied} edits and checks`],
    [
      'holds',
      `${holds.granted} granted; ${holds.released} released, ${holds.lost} lost, ${holds.forced} forced, ${holds.handedOver} handed over`,
    ],
    ['waits', `${waits.begun}, ${waits.granted} granted; ${waits.blockedMinutes} min blocked, the longest ${waits.longestMinutes} min`],
    [
      'writes',
      `${writes.written} in ${writes.holds} features done; ${writes.undeclared} undeclared (in ${writes.undeclaredHolds}), ${writes.unwritten} declared and not written`,
    ],
    ['requests', `${requests.asked} asked, ${requests.yielded} yielded, ${requests.refused} refused`],
  ];
  const paths = hot.map((one) => [one.path, String(one.refused), String(one.denied), String(one.blockedMinutes), String(one.holds)]);
  return [
    ...facts.map(([name, value]) => `${name.padEnd(20)} ${value}`),
    ...(paths.length === 0
      ? []
      : ['', out.paint('bold', 'Hot paths'), table(['PATH', 'REFUSED', 'DENIED', 'BLOCKED MIN', 'HELD'], paths, out.columns)]),
  ].join('\n');
}

/** `24h`, `7d` ago, or a date. */
function sinceWhen(text: string): string {
  const [, amount, unit] = /^(\d{1,5})([hd])$/.exec(text) ?? [];
  const at = amount === undefined ? Date.parse(text) : Date.now() - Number(amount) * (unit === 'h' ? 3_600_000 : 86_400_000);
  if (Number.isNaN(at)) throw new InvalidArgumentError('Give 24h, 7d or a date such as 2026-01-31.');
  return new Date(at).toISOString();
}
