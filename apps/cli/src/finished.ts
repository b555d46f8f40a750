import type { Claim, Finished } from '@nexus/contract';
import { parseClaim } from '@nexus/paths';
import type { Context } from './context.ts';
import { type RunGit, runGit } from './hook/dirty.ts';
import { clean } from './text.ts';

/** A checkout, and how long git may take in it. */
export type Checkout = { run: RunGit; toplevel: string; ms: number };

/** Of a command; undefined outside of any repository. */
export async function checkoutOf(context: Context): Promise<Checkout | undefined> {
  const worktree = await context.worktree();
  return worktree && { run: runGit, toplevel: worktree.toplevel, ms: 2000 };
}

/** For a call that answers what was finished elsewhere. */
export async function headBody(context: Context): Promise<{ head?: string }> {
  const checkout = await checkoutOf(context);
  const head = checkout && (await headOf(checkout));
  return head === undefined ? {} : { head };
}

/** For a call that gives a feature's paths back: the commit that has the work. `held`: what the session holds. */
export async function workOf(checkout: Checkout, held: Claim[], slug: string): Promise<{ commit?: string }> {
  const paths = held.filter(({ featureSlug, mode }) => featureSlug === slug && mode === 'write').map(({ filePath }) => filePath);
  const commit = await commitOf(checkout, paths);
  return commit === undefined ? {} : { commit };
}

export const headOf = async ({ run, toplevel, ms }: Checkout): Promise<string | undefined> =>
  (await run(toplevel, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], ms))?.trim();

/** Pathspecs that mean just these, whatever is in their names. `ro:` paths and resources are nobody's work. */
export const specsOf = (paths: string[]): string[] =>
  paths.flatMap((path) => {
    const parsed = parseClaim(path);
    if (!parsed.ok || parsed.claim.mode === 'read' || parsed.claim.kind === 'resource') return [];
    const { display, kind } = parsed.claim;
    // Brackets and backslashes are ordinary characters in a pattern of ours.
    if (kind === 'glob') return [`:(top,glob)${display.replace(/[[\]\\]/g, '\\$&')}`];
    return [`:(top,literal)${display === '.' ? '' : display.replace(/\/$/, '')}`];
  });

/**
 * The commit that changed these paths last in what is checked out: whoever has it has the work, and where nothing was
 * changed everybody does. Undefined when none did, or git is too slow.
 */
export async function commitOf({ run, toplevel, ms }: Checkout, paths: string[]): Promise<string | undefined> {
  const specs = specsOf(paths);
  if (specs.length === 0) return undefined;
  const commit = await run(toplevel, ['log', '-1', '--format=%H', 'HEAD', '--', ...specs], ms);
  return commit?.trim() || undefined;
}

/** A call for each is enough for a list that people read. */
const most = 10;

/** Of what was finished elsewhere: what this checkout lacks. What git cannot tell in time is left out. */
export async function lacking(checkout: Checkout, finished: Finished[]): Promise<Finished[]> {
  const lacks = await Promise.all(finished.slice(0, most).map((one) => isLacking(checkout, one)));
  return finished.filter((_, position) => lacks[position] === true);
}

async function isLacking({ run, toplevel, ms }: Checkout, { commit, path }: Finished): Promise<boolean> {
  const beyond = await run(toplevel, ['rev-list', '--max-count=1', commit, '^HEAD'], ms);
  if (beyond === undefined) return (await run(toplevel, ['cat-file', '-e', `${commit}^{commit}`], ms)) === undefined;
  if (beyond.trim() === '') return false;
  // Squashed or picked, it came under another name: then a commit of ours brought the very same content.
  const blob = path.endsWith('/')
    ? undefined
    : (await run(toplevel, ['rev-parse', '--verify', '--quiet', `${commit}:${path}`], ms))?.trim();
  if (!blob) return true;
  const same = ['log', '-1', '--format=%H', `--find-object=${blob}`, `${commit}..HEAD`, '--', `:(top,literal)${path}`];
  return !(await run(toplevel, same, ms))?.trim();
}

export const pullFirst = ({ path, commit, engineerName, agent, featureSlug }: Finished): string =>
  `pull first: ${clean(path)} was finished in ${commit.slice(0, 10)} by ${clean(engineerName)} (${clean(agent)}${featureSlug === null ? '' : `, feature ${clean(featureSlug)}`}), which this checkout lacks`;
