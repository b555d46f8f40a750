import { NexusError } from '@nexus/client';
import type { Context } from './context.ts';
import { CliError } from './errors.ts';
import { type Checkout, checkoutOf, specsOf } from './finished.ts';
import { clean } from './text.ts';
import { describeWait } from './wait.ts';

/** Whoever wants more than this share of the tracked files would never find all of them free at once. */
const bigShare = 1 / 5;
/** The server bounds a place by a day. */
const daySeconds = 86_400;

/**
 * `attempt`; where that is refused and the feature is a big refactor, a place in the queue: holders finish, overlapping
 * picks wait behind it. It does not wait itself, for that may take hours: the place lasts as long as the session.
 */
export async function orQueue<T>(context: Context, session: string, slug: string, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof NexusError && (error.code === 'FILE_ALREADY_CLAIMED' || error.code === 'QUEUED_AHEAD'))) throw error;
    const { id: projectId, client } = await context.project();
    const { touches } = await client.getFeature({ projectId, slug });
    const checkout = await checkoutOf(context);
    const share = checkout && (await shareOf(checkout, touches));
    if (share === undefined || share.covered <= share.tracked * bigShare) throw error;
    const wait = await client.joinQueue({ projectId, body: { featureSlug: slug, seconds: daySeconds } }, { session });
    if (wait.state === 'granted') return attempt();
    const why = `${clean(slug)} covers ${share.covered} of ${share.tracked} tracked files, so it is queued: holders finish, overlapping picks wait behind it.`;
    context.out.note(describeWait(wait));
    throw new CliError('conflict', 'QUEUED', `${why} It is this session's when they are done; pick it again then, or wait with --wait.`);
  }
}

/** Counted by git, whatever anybody believes. Undefined: git is too slow here. */
async function shareOf({ run, toplevel, ms }: Checkout, touches: string[]): Promise<{ tracked: number; covered: number } | undefined> {
  const specs = specsOf(touches);
  const list = (paths: string[]) => run(toplevel, ['ls-files', '-z', ...paths], ms);
  const [all, some] = await Promise.all([list([]), specs.length === 0 ? '' : list(['--', ...specs])]);
  return all === undefined || some === undefined ? undefined : { tracked: count(all), covered: count(some) };
}

const count = (names: string): number => names.split('\0').length - 1;
