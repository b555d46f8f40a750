import type { Feature, Lane } from '@nexus/contract';
import type { Command } from 'commander';
import { readBase } from '../active.ts';
import type { Context } from '../context.ts';
import { checkoutOf, headBody, workOf } from '../finished.ts';
import { asHolder, dropExport, heldSlug, sessionForChange, tellPicked } from '../held.ts';
import { orLanded, settleAllLanded } from '../landing.ts';
import { applyAll, patchesFor, tellLeft } from '../patch/leftover.ts';
import { orQueue } from '../refactor.ts';
import { clean } from '../text.ts';
import { duration, orWait, type WaitOption, waitOption } from '../wait.ts';
import { writesOf } from '../writes.ts';
import { examples, laneOption, type Runner, wholeNumber } from './command.ts';

type HoldOptions = { applyPatches?: boolean; fence?: number; explain?: string };

/** What moves a feature from hand to hand. */
export function addFeatureWork(feature: Command, run: Runner): void {
  examples(
    feature
      .command('pick')
      .description('Take a feature and every path it touches, or none')
      .argument('<slug>')
      .option(...waitOption, duration),
    'nexus feature pick login-form',
    'nexus feature pick login-form --wait 10m',
    'nexus feature pick login-form --json',
  ).action(
    run(async (context, slug: string, options: WaitOption) => {
      const { id: projectId, client } = await context.project();
      const session = await (await context.sessions()).openId();
      const body = await headBody(context);
      const pick = () => orLanded(context, () => client.pickFeature({ projectId, slug, body }, { session }));
      // Who waits with --wait is in the queue already.
      const granted =
        options.wait === undefined ? orQueue(context, session, slug, pick) : orWait(context, options, session, { featureSlug: slug }, pick);
      await tellPicked(context, await granted, 'Picked');
    }),
  );

  examples(
    feature.command('pick-next').description('Take the first feature that is free').addOption(laneOption('only from this lane')),
    'nexus feature pick-next',
    'nexus feature pick-next --lane now',
  ).action(
    run(async (context, options: { lane?: Lane }) => {
      const { id: projectId, client } = await context.project();
      const session = await (await context.sessions()).openId();
      const body = { ...(options.lane === undefined ? {} : { lane: options.lane }), ...(await headBody(context)) };
      await tellPicked(context, await client.pickNext({ projectId, body }, { session }), 'Picked');
    }),
  );

  examples(
    feature
      .command('resume')
      .description('Adopt an interrupted or parked feature with all that it held, under a new fence')
      .argument('<slug>')
      .option('--restore-wip', 'bring what the session before left uncommitted into this worktree'),
    'nexus feature resume login-form',
    'nexus feature resume login-form --restore-wip',
  ).action(
    run(async (context, slug: string, options: { restoreWip?: boolean }) => {
      const { id: projectId, client } = await context.project();
      const session = await (await context.sessions()).openId();
      const body = await headBody(context);
      await tellPicked(context, await client.resumeFeature({ projectId, slug, body }, { session }), 'Resumed', options);
    }),
  );

  const endings = [
    ['release', 'Give a feature back; it is ready for others again', 'Released'],
    ['done', 'Finish a feature and free its paths', 'Done:'],
    ['cancel', 'Cancel a feature; an active one only as its holder', 'Cancelled'],
  ] as const;
  for (const [verb, description, past] of endings) {
    const command = feature
      .command(verb)
      .description(description)
      .option('--fence <number>', 'refuse when the hold has another fence', wholeNumber);
    if (verb === 'done')
      command.option('--explain <why>', 'why paths were written that nobody declared; kept, and taken where the project refuses them');
    if (verb === 'done')
      command.option(
        '--apply-patches',
        'first merge the patches left for its paths, where they fit; if any did, stop here, for that is to be committed before',
      );
    if (verb === 'cancel') command.argument('<slug>');
    else command.argument('[slug]', 'default: the feature that this session holds');
    examples(command, `nexus feature ${verb} login-form`).action(
      run(async (context, given: string | undefined, options: HoldOptions) => {
        const slug = await heldSlug(context, given);
        if (options.applyPatches) await applyAll(context, slug);
        const left = await patchesFor(context, slug);
        const ended = await endHold(context, verb, slug, options);
        await dropExport(context, slug);
        context.out.data(ended, () => `${past} ${clean(slug)}`);
        tellLeft(context, left);
        for (const warning of ended.warnings ?? []) context.out.warn(clean(warning));
      }),
    );
  }

  examples(
    feature
      .command('landed')
      .description('The work of a done feature is on the default branch: frees the paths that the project kept until then')
      .argument('[slug]', 'default: all whose commit this clone sees there')
      .option('--commit <sha>', 'the one that has the work, where it was squashed'),
    'nexus feature landed',
    'nexus feature landed login-form --commit $(git rev-parse origin/main)',
  ).action(
    run(async (context, slug: string | undefined, { commit }: { commit?: string }) => {
      if (slug === undefined) {
        const landed = await settleAllLanded(context);
        context.out.data({ landed }, () => landed.map((one) => `Landed ${clean(one)}`).join('\n'));
        if (landed.length === 0) context.out.note('Nothing that waits to land is on the default branch, as far as this clone knows.');
        return;
      }
      const { id: projectId, client } = await context.project();
      const feature = await client.landedFeature({ projectId, slug, body: commit === undefined ? {} : { commit } });
      context.out.data(feature, () => `Landed ${clean(slug)}`);
    }),
  );

  examples(
    feature
      .command('force-release')
      .description('End the hold of another session: a lead any, an engineer those of the own sessions')
      .argument('<slug>')
      .requiredOption('--fence <number>', 'the hold to end, as `nexus feature show` prints it', wholeNumber)
      .requiredOption('--reason <text>', 'kept in the feed'),
    'nexus feature force-release login-form --fence 12 --reason "laptop stolen"',
  ).action(
    run(async (context, slug: string, options: { fence: number; reason: string }) => {
      const { id: projectId, client } = await context.project();
      const released = await client.forceReleaseFeature({ projectId, slug, body: { fence: options.fence, reason: options.reason } });
      context.out.data(released, () => `Released ${clean(slug)} by force`);
    }),
  );
}

async function endHold(
  context: Context,
  verb: 'release' | 'done' | 'cancel',
  slug: string,
  { fence, explain }: HoldOptions,
): Promise<Feature> {
  const { id: projectId, client } = await context.project();
  const body = fence === undefined ? {} : { fence };
  const [checkout, worktree] = await Promise.all([checkoutOf(context), context.worktree()]);
  // Whoever may not end it is told so by the call itself.
  const heldBy = (session: string) => client.myClaims({ projectId }, { session }).catch(() => []);
  const bodyOf = async (session: string) => ({ ...body, ...(checkout ? await workOf(checkout, await heldBy(session), slug) : {}) });
  const bodyOfDone = async (session: string) => {
    const explained = { ...body, ...(explain === undefined ? {} : { explanation: explain }) };
    if (checkout === undefined || worktree === undefined) return explained;
    const held = await heldBy(session);
    const writes = await writesOf(checkout, readBase(worktree, slug), held);
    if (writes === undefined) context.out.warn('git is too slow here to tell what was written: nothing is said of undeclared writes');
    return { ...explained, ...(await workOf(checkout, held, slug)), ...(writes === undefined ? {} : { writes }) };
  };
  switch (verb) {
    case 'release':
      return asHolder(context, async (session) => client.releaseFeature({ projectId, slug, body: await bodyOf(session) }, { session }));
    case 'done':
      return asHolder(context, async (session) => client.doneFeature({ projectId, slug, body: await bodyOfDone(session) }, { session }));
    case 'cancel':
      return client.cancelFeature({ projectId, slug, body }, { session: await sessionForChange(context, slug) });
  }
}
