import { type Learning, type LearningKind, learningKinds } from '@nexus/contract';
import { type Command, Option } from 'commander';
import { moment } from '../conflicts.ts';
import type { Context } from '../context.ts';
import { usage } from '../errors.ts';
import { heldSlugs } from '../held.ts';
import { clean, cleanBlock } from '../text.ts';
import { collected, examples, type Runner, wholeNumber } from './command.ts';
import { defined } from './feature-read.ts';

type LearnOptions = { feature?: string | false; kind?: LearningKind; tag?: string[]; fence?: number };
type ListOptions = { kind?: LearningKind; tag?: string; limit?: number; cursor?: string };

const kindOption = (description: string): Option => new Option('--kind <kind>', description).choices([...learningKinds]);

export function addLearnCommands(program: Command, run: Runner): void {
  examples(
    program
      .command('learn')
      .description('Keep what was learned, for whoever works here next')
      .argument('<text...>', 'what you learned; - reads stdin')
      .option('--feature <slug>', 'default: the one that this session holds')
      .option('--no-feature', 'a note of the project, of no feature')
      .addOption(kindOption('default: note'))
      .option('--tag <tag...>', 'to find it by (repeat)', collected)
      .option('--fence <number>', 'the hold that it was learned under', wholeNumber),
    'nexus learn "Tokens expire in UTC; compare with server time" --kind pitfall --tag auth',
    'nexus learn --no-feature --kind convention "Migrations are never edited"',
    'git log -1 --format=%B | nexus learn - --feature login-form',
  ).action(
    run(async (context, words: string[], { feature, kind, tag, fence }: LearnOptions) => {
      const content = words.join(' ') === '-' ? (await context.io.stdin.read()).trim() : words.join(' ');
      const { id: projectId, client } = await context.project();
      const session = (await context.sessions()).rememberedId();
      const slug = feature === undefined ? await heldFeature(context) : feature === false ? undefined : feature;
      const body = { content, ...defined({ kind, tags: tag }) };
      if (slug === undefined && fence !== undefined) throw usage('--fence is of a feature’s hold: name the feature with --feature <slug>.');
      const added =
        slug === undefined
          ? await client.addNote({ projectId, body }, { session })
          : await client.addLearning({ projectId, slug, body: { ...body, ...defined({ fence }) } }, { session });
      context.out.data(added, () => (slug === undefined ? 'Kept as a note of the project' : `Kept for ${clean(slug)}`));
      if (slug !== undefined && added.scope === 'project')
        context.out.note('It came after the work on that feature was over, so it is a note of the project.');
    }),
  );

  examples(
    program
      .command('learnings')
      .description('What was learned, newest first')
      .argument('[slug]', 'of this feature; default: of the whole project')
      .addOption(kindOption('only these'))
      .option('--tag <tag>', 'only with this tag')
      .option('--limit <number>', 'at most this many (1 to 100)', wholeNumber)
      .option('--cursor <cursor>', 'go on where the page before ended'),
    'nexus learnings login-form',
    'nexus learnings --kind pitfall --json',
  ).action(
    run(async ({ project, out }, slug: string | undefined, { kind, tag, limit, cursor }: ListOptions) => {
      const { id: projectId, client } = await project();
      const query = defined({ kind, tag, limit, cursor });
      const page =
        slug === undefined ? await client.listNotes({ projectId, query }) : await client.listLearnings({ projectId, slug, query });
      out.data(page, ({ items }) => items.map(describe).join('\n\n'));
      if (page.items.length === 0) out.note('Nothing yet. `nexus learn "…"` keeps what you find out.');
      if (page.nextCursor !== null) out.note(`More: nexus learnings ${slug ? `${clean(slug)} ` : ''}--cursor ${page.nextCursor}`);
    }),
  );
}

/** The one feature that this session holds; a note is none's when it holds none. */
async function heldFeature(context: Context): Promise<string | undefined> {
  const [slug, ...others] = await heldSlugs(context);
  if (slug !== undefined && others.length > 0)
    throw usage(`This session holds ${[slug, ...others].map(clean).join(', ')}. Name the one you mean with --feature.`);
  return slug;
}

function describe({ kind, tags, featureSlug, scope, content, engineerName, createdAt }: Learning): string {
  const of = featureSlug === null ? 'project' : `${featureSlug}${scope === 'project' ? ' (project note)' : ''}`;
  const head = [kind, of, engineerName, ...tags.map((tag) => `#${tag}`)].map(clean).join('  ');
  const lines = cleanBlock(content).trim().split('\n');
  return [`${head}  ${moment(createdAt)}`, ...lines.map((line) => `  ${line}`)].join('\n');
}
