import type { Decision, DecisionWithChain } from '@nexus/contract';
import type { Command } from 'commander';
import { moment } from '../conflicts.ts';
import type { Output } from '../output.ts';
import { clean, cleanBlock, table } from '../text.ts';
import { examples, type Runner, wholeNumber } from './command.ts';
import { defined } from './feature-read.ts';

type CreateOptions = {
  title: string;
  decision: string;
  rationale?: string;
  alternatives?: string;
  feature?: string;
  supersedes?: string;
};
type ListOptions = { feature?: string; current?: boolean; limit?: number; cursor?: string };

export function addDecisionCommands(program: Command, run: Runner): void {
  const decision = examples(
    program.command('decision').description('What was chosen and why; a later decision replaces an earlier one'),
    'nexus decision create --title "Postgres decides" --decision "Grants are made in the ledger" --rationale "Redis may lose writes"',
    'nexus decision list --current',
    'nexus decision show 3',
  );

  examples(
    decision
      .command('create')
      .description('Record a decision')
      .requiredOption('--title <text>', 'one line')
      .requiredOption('--decision <text>', 'what was chosen; - reads stdin')
      .option('--rationale <text>', 'why')
      .option('--alternatives <text>', 'what else was looked at, and why not')
      .option('--feature <slug>', 'default: of the whole project')
      .option('--supersedes <decision>', 'number or id of the decision that it replaces'),
    'nexus decision create --title "Keep sessions in cookies" --decision "HttpOnly, SameSite=Lax" --feature login-form',
    'nexus decision create --title "Tokens instead of cookies" --decision "Bearer keys" --supersedes 3',
  ).action(
    run(async ({ project, sessions, io, out }, { feature, ...options }: CreateOptions) => {
      const { id: projectId, client } = await project();
      const text = options.decision === '-' ? (await io.stdin.read()).trim() : options.decision;
      const { title, rationale, alternatives, supersedes } = options;
      const body = { title, decision: text, ...defined({ rationale, alternatives, featureSlug: feature, supersedes }) };
      const added = await client.addDecision({ projectId, body }, { session: (await sessions()).rememberedId() });
      out.data(added, () => `Recorded decision ${added.number}: ${clean(added.title)}`);
    }),
  );

  examples(
    decision
      .command('list')
      .description('Decisions, newest first')
      .option('--feature <slug>', 'only of this feature')
      .option('--current', 'without those that were replaced')
      .option('--limit <number>', 'at most this many (1 to 100)', wholeNumber)
      .option('--cursor <cursor>', 'go on where the page before ended'),
    'nexus decision list --current',
  ).action(
    run(async ({ project, out }, { feature, current, limit, cursor }: ListOptions) => {
      const { id: projectId, client } = await project();
      const query = { ...defined({ feature, limit, cursor }), ...(current ? { current: 'true' as const } : {}) };
      const page = await client.listDecisions({ projectId, query });
      out.data(page, ({ items }) =>
        items.length === 0 ? '' : table(['NO', 'DATE', 'BY', 'FEATURE', 'TITLE'], items.map(row), out.columns),
      );
      if (page.items.length === 0) out.note('No decisions. `nexus decision create` records one.');
      if (page.nextCursor !== null) out.note(`More: nexus decision list --cursor ${page.nextCursor}`);
    }),
  );

  examples(
    decision.command('show').description('A decision, what it replaced and what replaced it').argument('<decision>', 'number or id'),
    'nexus decision show 3',
  ).action(
    run(async ({ project, out }, name: string) => {
      const { id: projectId, client } = await project();
      out.data(await client.getDecision({ projectId, decisionId: name }), (shown) => describe(shown, out));
    }),
  );
}

const row = ({ number, createdAt, engineerName, featureSlug, title, supersededBy }: Decision): string[] => [
  String(number),
  createdAt.slice(0, 10),
  engineerName,
  featureSlug ?? '-',
  supersededBy === null ? title : `${title} (replaced)`,
];

function describe({ chain, ...shown }: DecisionWithChain, out: Output): string {
  const part = (name: string, text: string | null): string[] => (text ? ['', `${name}:`, cleanBlock(text).trim()] : []);
  const links = chain.map(({ id, number, title, supersededBy }) => {
    const mark = supersededBy === null ? 'stands' : 'replaced';
    return `  ${id === shown.id ? '>' : ' '} ${number}. ${clean(title)} (${mark})`;
  });
  return [
    `${out.paint('bold', `${shown.number}. ${clean(shown.title)}`)}${shown.supersededBy === null ? '' : ' (replaced)'}`,
    `  by ${clean(shown.engineerName)}, ${moment(shown.createdAt)}${shown.featureSlug === null ? '' : `, for ${clean(shown.featureSlug)}`}`,
    '',
    cleanBlock(shown.decision).trim(),
    ...part('Rationale', shown.rationale),
    ...part('Alternatives', shown.alternatives),
    ...(links.length > 1 ? ['', 'Chain, oldest first:', ...links] : []),
  ].join('\n');
}
