import { type AvailableFeature, type Feature, featureStatuses, type FeatureStatus, type Lane } from '@nexus/contract';
import { type Command, Option } from 'commander';
import type { z } from 'zod';
import { describeConflicts, moment } from '../conflicts.ts';
import { handoverFacts } from '../handover.ts';
import type { Output } from '../output.ts';
import { clean, cleanBlock, shortId, table } from '../text.ts';
import { examples, laneOption, type Runner, wholeNumber } from './command.ts';

type ListOptions = { status?: FeatureStatus; lane?: Lane; limit?: number; cursor?: string };
type Available = z.infer<typeof AvailableFeature>;

export function addFeatureReading(feature: Command, run: Runner): void {
  examples(
    feature
      .command('list')
      .description('Features by lane, then priority')
      .addOption(new Option('--status <status>').choices([...featureStatuses]))
      .addOption(laneOption('only this lane'))
      .option('--limit <number>', 'at most this many (1 to 100)', wholeNumber)
      .option('--cursor <cursor>', 'go on where the page before ended'),
    'nexus feature list',
    'nexus feature list --status ready --json',
  ).action(
    run(async ({ project, out }, { status, lane, limit, cursor }: ListOptions) => {
      const { id: projectId, client } = await project();
      const page = await client.listFeatures({ projectId, query: defined({ status, lane, limit, cursor }) });
      out.data(page, ({ items }) =>
        items.length === 0 ? '' : table(['SLUG', 'LANE', 'STATUS', 'HOLDER', 'TITLE'], items.map(row), out.columns),
      );
      if (page.items.length === 0) out.note('No features. `nexus feature create` makes one.');
      if (page.nextCursor !== null) out.note(`More: nexus feature list --cursor ${page.nextCursor}`);
    }),
  );

  examples(
    feature.command('show').description('A feature, its holder and its spec').argument('<slug>'),
    'nexus feature show login-form',
  ).action(
    run(async ({ project, out }, slug: string) => {
      const { id: projectId, client } = await project();
      out.data(await client.getFeature({ projectId, slug }), (shown) => describeFeature(shown, out));
    }),
  );

  examples(
    feature.command('available').description('Ready features: what can be picked now, and what is in the way of the rest'),
    'nexus feature available',
  ).action(
    run(async ({ project, sessions, out }) => {
      const { id: projectId, client } = await project();
      const features = await client.availableFeatures({ projectId }, { session: (await sessions()).rememberedId() });
      out.data(features, () => features.map((item) => describeAvailable(item, out)).join('\n'));
      if (features.length === 0) out.note('Nothing is ready. `nexus feature ready <slug>` offers a draft.');
    }),
  );
}

const row = (item: Feature): string[] => [
  item.slug,
  item.lane,
  item.interrupted ? `${item.status} (interrupted)` : item.status,
  holderOf(item),
  item.title,
];

function holderOf({ heldBy }: Feature): string {
  if (heldBy === null) return '-';
  return `${heldBy.engineerName}/${heldBy.agent} ${heldBy.parked ? 'parked' : shortId(heldBy.sessionId)}`;
}

function describeFeature(item: Feature, out: Output): string {
  const facts: [string, string][] = [
    ['status', item.interrupted ? `${item.status}, interrupted: \`nexus feature resume\` takes it over` : item.status],
    ['lane', `${item.lane}, priority ${item.priority}`],
    ...(item.heldBy ? [['held by', clean(holderOf(item))] as [string, string]] : []),
    ...(item.fence === null ? [] : [['fence', String(item.fence)] as [string, string]]),
    ...(item.claimedAt === null ? [] : [['since', moment(item.claimedAt)] as [string, string]]),
    ...(item.dependsOn.length === 0 ? [] : [['needs', item.dependsOn.map(clean).join(', ')] as [string, string]]),
    ['paths', item.touches.map(clean).join('\n           ') || 'none'],
    ...handoverFacts(item),
  ];
  const lines = facts.map(([name, value]) => `  ${name.padEnd(8)} ${value}`);
  return [`${out.paint('bold', clean(item.slug))}: ${clean(item.title)}`, ...lines, '', cleanBlock(item.spec)].join('\n').trimEnd();
}

function describeAvailable(item: Available, out: Output): string {
  const head = `${out.paint(isFree(item) ? 'green' : 'yellow', isFree(item) ? 'free   ' : 'blocked')} ${clean(item.slug)} (${item.lane}${item.interrupted ? ', interrupted' : ''}): ${clean(item.title)}`;
  const begun = item.interrupted ? handoverFacts(item).map(([name, value]) => `  ${name.padEnd(8)} ${value}`) : [];
  const waits = item.waitsFor.length > 0 ? [`  waits for ${item.waitsFor.map(clean).join(', ')}`] : [];
  return [head, ...begun, ...waits, ...(item.conflicts.length > 0 ? [describeConflicts(item.conflicts)] : [])].join('\n');
}

const isFree = ({ blockedBy, waitsFor }: Available): boolean => blockedBy === null && waitsFor.length === 0;

/** Without the keys that hold nothing: an absent option is not an option of `undefined`. */
export function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
