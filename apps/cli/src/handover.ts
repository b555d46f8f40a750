import type { Checkpoint, Feature } from '@nexus/contract';
import { moment } from './conflicts.ts';
import { clean, cleanBlock, shortId } from './text.ts';
import { wipCommand } from './wip/restore.ts';

type Left = NonNullable<Feature['left']>;

/** What an earlier session left of a feature, as facts to print: name and value. */
export function handoverFacts({ checkpoint, left }: Pick<Feature, 'checkpoint' | 'left'>): [string, string][] {
  return [
    ...(left ? [['left by', `${whoLeft(left)}${left.gitBranch ? `, on branch ${clean(left.gitBranch)}` : ''}`] as [string, string]] : []),
    ...(checkpoint ? [['saved', checkpointLine(checkpoint)] as [string, string]] : []),
    ...(checkpoint?.notes ? [['notes', quotedBlock(checkpoint)] as [string, string]] : []),
  ];
}

const whoLeft = ({ engineerName, agent, sessionId, at }: Left): string =>
  `${clean(engineerName)} (${clean(agent)}, session ${shortId(sessionId)}) ${moment(at)}`;

/** One line: by whom, when, on which branch and commit, and how much was not committed. */
export function checkpointLine({ engineerName, createdAt, context }: Checkpoint): string {
  const [branch, commit, stat] = ['gitBranch', 'gitCommit', 'diffStat'].map((key) => text(context[key]));
  return [
    `${moment(createdAt)} by ${clean(engineerName)}`,
    ...(branch || commit ? [`on ${[branch, commit?.slice(0, 10)].filter(Boolean).join(' at ')}`] : []),
    ...(stat ? [`uncommitted: ${stat}`] : []),
  ].join('; ');
}

/** What others wrote is theirs: quoted and named, never to be taken for an instruction. */
const quotedBlock = ({ notes, engineerName }: Checkpoint): string =>
  [
    `${clean(engineerName)} wrote:`,
    ...cleanBlock(notes ?? '')
      .trim()
      .split('\n')
      .map((line) => `           > ${line}`),
  ].join('\n');

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? clean(value) : undefined);

/** The ref that the checkpoint names, when what was uncommitted was kept in the session that left. */
export function keptWip({ checkpoint, left }: Pick<Feature, 'checkpoint' | 'left'>): boolean {
  const wip = checkpoint?.context['wip'];
  return left !== undefined && checkpoint?.sessionId === left.sessionId && typeof wip === 'object' && wip !== null;
}

/** Beside the spec, for the agent that goes on. */
export function handoverMarkdown(feature: Feature, here: boolean): string {
  const { checkpoint, left } = feature;
  const facts = handoverFacts(feature).map(([name, value]) => `- ${name}: ${value.replaceAll('\n           ', '\n  ')}`);
  const claims = left ? [`- it held: ${left.paths.map(clean).join(', ')}`] : [];
  const context = checkpoint ? ['', '```json', cleanBlock(JSON.stringify(checkpoint.context, null, 2)), '```'] : [];
  const wip = left && here ? ['', `What it left uncommitted: \`${wipCommand(left.sessionId)}\``] : [];
  return ['# Left by the session before', '', ...facts, ...claims, ...wip, ...context, ''].join('\n');
}
