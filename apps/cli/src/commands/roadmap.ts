import { type Feature, type Lane, lanes, type Roadmap } from '@nexus/contract';
import { type Command, Option } from 'commander';
import { usage } from '../errors.ts';
import type { Output } from '../output.ts';
import { clean, table } from '../text.ts';
import { examples, laneOption, type Runner } from './command.ts';

type MoveOptions = { lane?: Lane; before?: string; after?: string };

export function addRoadmapCommands(program: Command, run: Runner): void {
  const roadmap = examples(
    program.command('roadmap').description('What is to be done, lane by lane: now, next, later, icebox'),
    'nexus roadmap show',
    'nexus roadmap move login-form --before search',
    'nexus roadmap promote login-form',
  );

  examples(
    roadmap.command('show', { isDefault: true }).description('The board').addOption(laneOption('only this lane')),
    'nexus roadmap show',
    'nexus roadmap show --lane now --json',
  ).action(
    run(async ({ project, out }, { lane }: { lane?: Lane }) => {
      const { id: projectId, client } = await project();
      const board = await client.roadmap({ projectId });
      const shown = { ...board, lanes: board.lanes.filter((one) => lane === undefined || one.lane === lane) };
      out.data(shown, () => describe(shown, out));
      if (shown.lanes.every(({ features }) => features.length === 0)) out.note('Nothing to do. `nexus feature create` adds something.');
    }),
  );

  examples(
    roadmap
      .command('reorder')
      .description('Put features of a lane in this order, also from other lanes; those not named stay where they are')
      .argument('<lane>', lanes.join(', '))
      .argument('<slug...>'),
    'nexus roadmap reorder now login-form search checkout',
  ).action(
    run(async ({ project, out }, lane: string, slugs: string[]) => {
      const { id: projectId, client } = await project();
      const board = await client.reorderRoadmap({ projectId, body: { [laneNamed(lane)]: slugs } });
      out.data(board, () => describe({ ...board, lanes: board.lanes.filter((one) => one.lane === lane) }, out));
    }),
  );

  examples(
    roadmap
      .command('move')
      .description('Move a feature before or after another, or to the end of a lane')
      .argument('<slug>')
      .addOption(laneOption('default: the lane of the other feature'))
      .addOption(new Option('--before <slug>').conflicts('after'))
      .option('--after <slug>'),
    'nexus roadmap move login-form --before search',
    'nexus roadmap move login-form --lane later',
  ).action(
    run(async ({ project, out }, slug: string, { lane, before, after }: MoveOptions) => {
      const { id: projectId, client } = await project();
      const beside = before ?? after;
      const to = lane ?? (beside === undefined ? undefined : (await client.getFeature({ projectId, slug: beside })).lane);
      if (to === undefined) throw usage('Where to? Name --before <slug>, --after <slug> or --lane <lane>.');
      const place = before === undefined ? (after === undefined ? {} : { after }) : { before };
      out.data(await client.moveOnRoadmap({ projectId, slug, body: { lane: to, ...place } }), (moved) => told(moved));
    }),
  );

  const steps = [
    ['promote', 'Move a feature one lane up, towards now', -1],
    ['defer', 'Move a feature one lane down, towards icebox', 1],
  ] as const;
  for (const [verb, description, step] of steps) {
    examples(roadmap.command(verb).description(description).argument('<slug>'), `nexus roadmap ${verb} login-form`).action(
      run(async ({ project, out }, slug: string) => {
        const { id: projectId, client } = await project();
        const feature = await client.getFeature({ projectId, slug });
        const lane = lanes[lanes.indexOf(feature.lane) + step];
        if (lane === undefined) out.note(`${clean(slug)} is in ${feature.lane} already, the ${step < 0 ? 'first' : 'last'} lane.`);
        out.data(lane === undefined ? feature : await client.moveOnRoadmap({ projectId, slug, body: { lane } }), (moved) => told(moved));
      }),
    );
  }
}

const told = ({ slug, lane, priority }: Feature): string => `${clean(slug)} stands in ${lane}, at ${shortNumber(priority)}`;

function describe({ lanes: shown }: Roadmap, out: Output): string {
  return shown
    .filter(({ features }) => features.length > 0)
    .map(({ lane, features }) => {
      const rows = features.map((feature, at) => [`  ${at + 1}`, feature.slug, stateOf(feature), feature.title]);
      return `${out.paint('bold', `${lane.toUpperCase()} (${features.length})`)}\n${table(['  #', 'SLUG', 'STATE', 'TITLE'], rows, out.columns)}`;
    })
    .join('\n\n');
}

function stateOf({ status, interrupted, heldBy }: Feature): string {
  if (heldBy !== null) return heldBy.parked ? `parked (${heldBy.engineerName})` : `${heldBy.engineerName}/${heldBy.agent}`;
  return interrupted ? 'interrupted' : status;
}

/** A place between two others may have fifty digits. */
const shortNumber = (value: number): string => String(Number(value.toPrecision(6)));

function laneNamed(lane: string): Lane {
  const found = lanes.find((one) => one === lane);
  if (found === undefined) throw usage(`There is no lane "${clean(lane)}": ${lanes.join(', ')}.`);
  return found;
}
