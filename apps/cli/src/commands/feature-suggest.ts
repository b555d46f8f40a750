import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { usage } from '../errors.ts';
import type { Output } from '../output.ts';
import { readRepository } from '../suggest/repository.ts';
import { suggest, type Suggested, type Suggestion } from '../suggest/suggest.ts';
import { wavesOf } from '../suggest/waves.ts';
import { clean } from '../text.ts';
import { examples, type Runner, wholeNumber } from './command.ts';

type Shown = Suggested & { slug: string; waves: string[][] };

export function addFeatureSuggesting(feature: Command, run: Runner): void {
  examples(
    feature
      .command('suggest')
      .description('Propose the paths that a feature will touch, from its spec and this repository; changes nothing')
      .argument('<slug>')
      .option('--limit <number>', 'at most this many paths (default: 10)', wholeNumber),
    'nexus feature suggest login-form',
    'nexus feature edit login-form --touches $(nexus feature suggest login-form --json | jq -r ".paths[].path")',
  ).action(
    run(async (context, slug: string, { limit }: { limit?: number }) => {
      const worktree = await context.worktree();
      if (worktree === undefined) throw usage('A suggestion is made from a git repository. Run this in one, or with -C <dir>.');
      const { id: projectId, client } = await context.project();
      const [wanted, found] = await Promise.all([client.getFeature({ projectId, slug }), readRepository(worktree.toplevel)]);
      const suggested = suggest(wanted, found, limit);
      const waves = await readyWaves(
        context,
        slug,
        suggested.paths.map(({ path }) => path),
      );
      const shown: Shown = { slug, ...suggested, waves };
      context.out.data(shown, () => describe(shown, context.out));
      if (suggested.paths.length > 0)
        context.out.note(`Next: nexus feature edit ${clean(slug)} --touches <path…>, with what you agree to.`);
    }),
  );
}

/** The ready features with their own paths, and this one with its own, or with what is proposed for it. */
async function readyWaves(context: Context, slug: string, proposed: string[]): Promise<string[][]> {
  const { id: projectId, client } = await context.project();
  const [ready, wanted] = await Promise.all([client.availableFeatures({ projectId }), client.getFeature({ projectId, slug })]);
  const all = ready.some((one) => one.slug === slug) ? ready : [...ready, wanted];
  return wavesOf(
    all.map(({ slug: name, touches, dependsOn }) => ({
      slug: name,
      touches: name === slug && touches.length === 0 ? proposed : touches,
      dependsOn,
    })),
  );
}

function describe({ slug, paths, hubs, waves }: Shown, out: Output): string {
  const lines = (list: Suggestion[]) =>
    list.flatMap(({ path, why }) => [`  ${out.paint('bold', clean(path))}`, `    ${clean(why.slice(0, 2).join('; '))}`]);
  return [
    paths.length > 0 ? `Likely touched by ${clean(slug)}:` : `Nothing in this repository looks like ${clean(slug)}. Say more in its spec.`,
    ...lines(paths),
    ...(hubs.length > 0 ? ['', 'Hubs, which others need as well; claim them for an edit only:', ...lines(hubs)] : []),
    ...(waves.length > 0 ? ['', 'Ready features that can run side by side:'] : []),
    ...waves.map((wave, at) => `  ${at + 1}. ${wave.map(clean).join(', ')}`),
  ].join('\n');
}
