import type { ClaimInput, CreateFeatureBody, Lane } from '@nexus/contract';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { usage } from '../errors.ts';
import { sessionForChange } from '../held.ts';
import { repositoryPaths } from '../paths.ts';
import { clean } from '../text.ts';
import { collected, decimal, examples, laneOption, type Runner, wholeNumber } from './command.ts';
import { defined } from './feature-read.ts';
import { type FeatureFields, readSpec } from './spec-input.ts';

type CreateOptions = FeatureFields & { slug?: string; ready?: boolean };
type EditOptions = FeatureFields & { fence?: number; ifVersion?: number };

const withFields = (command: Command): Command =>
  command
    .option('--title <text>', 'one line')
    .option('--spec <text>', 'what to do and how to know it is done; - reads stdin')
    .addOption(laneOption())
    .option('--priority <number>', 'within its lane, lowest first', decimal)
    .option(
      '--touches <path...>',
      "a path it will change; src/auth/ is a tree, 'src/*.ts' a pattern (quoted), ro:docs/ for reading (repeat)",
      collected,
    )
    .option('--depends-on <slug...>', 'a feature that must be done first (repeat)', collected)
    .option('--from <file>', 'Markdown with YAML front matter (title, slug, lane, priority, touches, dependsOn); - reads stdin');

export function addFeatureEditing(feature: Command, run: Runner): void {
  examples(
    withFields(feature.command('create').description('Create a feature: from options, from a file, or in your editor'))
      .option('--slug <slug>', 'default: made from the title')
      .option('--ready', 'offer it for picking at once'),
    'nexus feature create --from spec.md --ready',
    'nexus feature create --title "Login form" --touches src/auth/ ro:docs/api.md',
    `nexus feature create --title "Rename a type" --touches 'src/**/*.ts'`,
    'nexus feature create        # opens $EDITOR with a template',
  ).action(
    run(async (context, options: CreateOptions) => {
      const body = await createBody(context, options);
      const { id: projectId, client } = await context.project();
      const created = await client.createFeature({ projectId, body: options.ready ? { ...body, ready: true } : body });
      if (created.touches.length === 0 && !created.warnings?.length)
        context.out.warn('it touches no paths, so picking it protects nothing: `nexus feature edit --touches <path>`');
      context.out.data(created, (shown) => `Created ${clean(shown.slug)} (${shown.status})`);
      for (const warning of created.warnings ?? []) context.out.warn(clean(warning));
      if (created.status === 'draft') context.out.note(`Next: \`nexus feature ready ${clean(created.slug)}\` offers it for picking.`);
    }),
  );

  examples(
    withFields(feature.command('edit').description('Change a feature; paths of an active one are claimed or given back').argument('<slug>'))
      .option('--fence <number>', 'refuse when the hold has another fence', wholeNumber)
      .option('--if-version <number>', 'refuse when it was changed since', wholeNumber),
    'nexus feature edit login-form --priority 1 --lane now',
    'nexus feature edit login-form --touches src/auth/ --touches src/session.ts',
  ).action(
    run(async (context, slug: string, options: EditOptions) => {
      const { slug: named, ...fields } = await fieldsOf(context, options, slug);
      if (named !== undefined && named !== slug) throw usage(`The file is of "${clean(named)}", not of "${clean(slug)}".`);
      const { fence, ifVersion } = options;
      if (Object.keys(fields).length === 0)
        throw usage('Nothing to change. Name at least one of --title, --spec, --lane, --priority, --touches, --depends-on, --from.');
      const { id: projectId, client } = await context.project();
      const session = await sessionForChange(context, slug);
      const changed = await client.updateFeature(
        { projectId, slug, body: { ...fields, ...(fence === undefined ? {} : { fence }) } },
        { session, ...(ifVersion === undefined ? {} : { ifMatch: ifVersion }) },
      );
      context.out.data(changed, () => `Changed ${clean(slug)}`);
      for (const warning of changed.warnings ?? []) context.out.warn(clean(warning));
    }),
  );

  examples(feature.command('ready').description('Offer a draft for picking').argument('<slug>'), 'nexus feature ready login-form').action(
    run(async ({ project, out }, slug: string) => {
      const { id: projectId, client } = await project();
      out.data(await client.readyFeature({ projectId, slug }), () => `Ready: ${clean(slug)}`);
    }),
  );

  examples(feature.command('delete').description('Delete a draft').argument('<slug>'), 'nexus feature delete login-form').action(
    run(async ({ project, out }, slug: string) => {
      const { id: projectId, client } = await project();
      out.data(await client.deleteFeature({ projectId, slug }), () => `Deleted ${clean(slug)}`);
    }),
  );
}

type Fields = {
  slug?: string;
  title?: string;
  spec?: string;
  lane?: Lane;
  priority?: number;
  touches?: ClaimInput[];
  dependsOn?: string[];
};

/** Options win over the file. Paths in options are relative to here; those in a file are the repository's already. */
async function fieldsOf(context: Context, options: FeatureFields & { slug?: string }, editing: string | undefined): Promise<Fields> {
  const file = await readSpec(context, options, editing);
  const { slug, title, lane, priority, dependsOn, touches, spec } = options;
  return defined({
    ...file,
    ...defined({ slug, title, lane, priority, dependsOn }),
    ...(touches === undefined ? {} : { touches: await repositoryPaths(touches, context.cwd) }),
    ...(spec === undefined ? {} : { spec: spec === '-' ? (await context.io.stdin.read()).trim() : spec }),
  }) as Fields;
}

async function createBody(context: Context, options: CreateOptions): Promise<CreateFeatureBody> {
  const { title, slug = title === undefined ? undefined : slugOf(title), spec = '', ...rest } = await fieldsOf(context, options, undefined);
  if (title === undefined || slug === undefined)
    throw usage('A feature needs a title: --title <text>, or `title:` in the front matter of --from <file>.');
  return { ...rest, title, slug, spec };
}

export function slugOf(title: string): string {
  const slug = title
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 60)
    .replace(/^-+|-+$/g, '');
  if (slug === '') throw usage('No slug can be made from this title. Name one with --slug.');
  return slug;
}
