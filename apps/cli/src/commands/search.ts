import { type LexicalBecause, type SearchHit, type SearchKind, searchKinds } from '@nexus/contract';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { moment } from '../conflicts.ts';
import type { Output } from '../output.ts';
import { clean } from '../text.ts';
import { examples, type Runner, wholeNumber } from './command.ts';
import { defined } from './feature-read.ts';

type Options = {
  kind?: SearchKind;
  feature?: string;
  tag?: string;
  engineer?: string;
  since?: string;
  until?: string;
  limit?: number;
  cursor?: string;
};

export function addSearchCommand(program: Command, run: Runner): void {
  examples(
    program
      .command('search')
      .description('Find what the project knows: learnings, decisions, specs, checkpoints, messages')
      .argument('<words...>', 'in any form and order; small typos are forgiven')
      .addOption(new Option('--kind <kind>', 'only these').choices([...searchKinds]))
      .option('--feature <slug>', 'only of this feature')
      .option('--tag <tag>', 'only with this tag')
      .option('--engineer <engineer>', 'only by this one: email or id')
      .option('--since <time>', 'a date, or 12h, 7d, 4w ago', timeOf)
      .option('--until <time>', 'a date, or 12h, 7d, 4w ago', timeOf)
      .option('--limit <number>', 'at most this many (1 to 100)', wholeNumber)
      .option('--cursor <cursor>', 'go on where the page before ended'),
    'nexus search token expiry',
    'nexus search "why redis" --kind decision --since 4w',
  ).action(
    run(async ({ project, out }, words: string[], options: Options) => {
      const { id: projectId, client } = await project();
      const page = await client.search({ projectId, query: { q: words.join(' '), ...defined(options) } });
      out.data(page, ({ items }) => items.map((hit) => describe(hit, out)).join('\n\n'));
      for (const { word, instead } of page.corrections)
        out.note(`"${clean(word)}" stands nowhere; looked for ${instead.map(clean).join(', ')}.`);
      if (page.lexicalBecause !== null) out.note(`By words alone: ${because[page.lexicalBecause]}.`);
      if (page.items.length === 0) out.note('Nothing found. Try fewer or other words.');
      if (page.nextCursor !== null) out.note(`More: add --cursor ${page.nextCursor}`);
    }),
  );
}

const because: Record<LexicalBecause, string> = {
  no_provider: 'the server has no embeddings provider (EMBEDDINGS_URL)',
  provider_away: 'the embeddings provider gave no answer',
  catching_up: 'the embeddings provider has yet to read what is here',
};

const units = { h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** As the server takes it; a span is so long ago. */
function timeOf(text: string): string {
  const [, count, unit] = /^(\d{1,5})([hdw])$/.exec(text) ?? [];
  if (count !== undefined) return new Date(Date.now() - Number(count) * units[unit as keyof typeof units]).toISOString();
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) throw new InvalidArgumentError('Give a date such as 2026-11-30, or a span such as 12h, 7d or 4w.');
  return at.toISOString();
}

function describe({ kind, title, snippet, featureSlug, engineerName, tags, replaced, createdAt }: SearchHit, out: Output): string {
  const about = [kind, featureSlug ?? 'project', engineerName, ...tags.map((tag) => `#${tag}`), ...(replaced ? ['(replaced)'] : [])];
  const shown = clean(snippet).replace(/\*\*(.+?)\*\*/g, (_, found: string) => out.paint('bold', found));
  const lines = [...(title ? [out.paint('bold', clean(title))] : []), ...(shown ? [shown] : [])];
  return [`${about.map(clean).join('  ')}  ${moment(createdAt)}`, ...lines.map((line) => `  ${line}`)].join('\n');
}
