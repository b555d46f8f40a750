import { existsSync, lstatSync, renameSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseDocument } from 'yaml';
import type { Context } from '../context.ts';
import { CliError, usage } from '../errors.ts';
import { readText } from '../files.ts';
import { apply, type Change, diffOf, isChange } from '../install/changes.ts';
import {
  hasBlock,
  type HookName,
  hookNames,
  isShellScript,
  lefthookBlock,
  withBlock,
  withLefthookBlock,
  withoutBlock,
  withoutLefthookBlock,
  wrapper,
} from './blocks.ts';
import { earlierPlaces, findHooksPlace, type HooksPlace } from './hooks-place.ts';

/** `saved` moves a hook that no shell reads out of the way, or back. */
type Step = Change & { saved?: { from: string; to: string } };

export async function installGit(context: Context, { remove, dryRun = false }: { remove: boolean; dryRun?: boolean }): Promise<void> {
  const { out } = context;
  const worktree = await context.worktree();
  if (worktree === undefined) throw usage(`There is no git repository at ${context.cwd}.`);
  const place = await findHooksPlace(worktree);
  const dead = earlierPlaces(worktree, place).flatMap(planRemoval);
  const steps = [...dead, ...(remove ? planRemoval(place) : planHooks(place))].filter(isChange);
  if (!dryRun) for (const step of steps) take(step);
  const paths = steps.map(({ path }) => path);
  const done = ({ after }: Step): string => (hasBlock(after ?? '') ? 'Nexus is asked by' : 'Took Nexus out of');
  out.data({ hooks: place, paths, changed: steps.length > 0, dryRun, diff: diffOf(steps) }, ({ diff }) =>
    dryRun ? diff : steps.map((step) => `${done(step)} ${step.path}`).join('\n'),
  );
  if (steps.length === 0) return out.note(remove ? 'No hook of Nexus is here.' : 'The hooks are in place already.');
  if (dryRun) return out.note('Nothing was changed.');
  if (place.kind === 'lefthook')
    out.note(
      remove ? 'Hooks that lefthook made for it stay, and do nothing.' : 'Next: `lefthook install`, which makes the hooks that are new.',
    );
  if (place.kind === 'husky' && !remove) out.note(`Commit ${place.dir}: without \`nexus\` on PATH these hooks do nothing.`);
  if (place.kind === 'directory' && place.shared)
    out.note(`core.hooksPath is ${place.dir}, for more than this repository; where there is no .nexus.json the hooks do nothing.`);
  if (!remove) out.note('Commits and pushes of paths that others hold are refused; NEXUS_SKIP=1 or --no-verify goes around it.');
}

function take({ saved, ...change }: Step): void {
  // Moved before its place is taken, and back after it is free: a crash in between loses nothing.
  if (change.after === undefined) apply(change);
  if (saved !== undefined) renameSync(saved.from, saved.to);
  if (change.after !== undefined) apply(change);
}

function planHooks(place: HooksPlace): Step[] {
  if (place.kind === 'lefthook') return [lefthookStep(place.file)];
  return hookNames.map((hook) => {
    const path = join(place.dir, hook);
    const before = readText(path);
    if (before === undefined) return { path, before, after: withBlock(hook, undefined), executable: true };
    // Husky hands its files to sh, whatever their mode; git passes over one that cannot be executed.
    if (place.kind === 'directory' && (statSync(path).mode & 0o111) === 0)
      throw new CliError(
        'failure',
        'HOOK_NOT_EXECUTABLE',
        `${path} is there but cannot be executed, so git ignores it. chmod +x it, or remove it.`,
      );
    if (hasBlock(before) || (isShellScript(before) && !lstatSync(path).isSymbolicLink())) return shellStep(hook, path, before);
    const saved = savedName(path);
    if (existsSync(saved)) throw new CliError('failure', 'HOOK_IN_THE_WAY', `${saved} is there already. Move it away and run this again.`);
    return { path, before, after: wrapper(hook, basename(saved)), executable: true, saved: { from: path, to: saved } };
  });
}

const savedName = (path: string): string => `${path}.before-nexus`;

function shellStep(hook: HookName, path: string, before: string): Step {
  return existsSync(savedName(path)) ? { path, before, after: before } : { path, before, after: withBlock(hook, before) };
}

function planRemoval(place: HooksPlace): Step[] {
  if (place.kind === 'lefthook') {
    const before = readText(place.file);
    return before === undefined || !hasBlock(before) ? [] : [{ path: place.file, before, after: withoutLefthookBlock(before) }];
  }
  // `.old` is what lefthook makes of a hook that it found.
  return hookNames
    .flatMap((hook) => [hook, `${hook}.old`])
    .flatMap((name): Step[] => {
      const path = join(place.dir, name);
      const before = readText(path);
      if (before === undefined || !hasBlock(before)) return [];
      const saved = savedName(path);
      if (existsSync(saved)) return [{ path, before, after: undefined, saved: { from: saved, to: path } }];
      return [{ path, before, after: withoutBlock(before) }];
    });
}

/** Lefthook merges `-local` over its main file. A key that is there twice would make it no YAML, so that is left to people. */
function lefthookStep(path: string): Step {
  const before = readText(path);
  const after = withLefthookBlock(before);
  if (parseDocument(after).errors.length === 0) return { path, before, after };
  throw new CliError(
    'failure',
    'HOOK_IN_THE_WAY',
    `${path} has these hooks already. Put the \`nexus\` commands into them yourself:\n\n${lefthookBlock}`,
  );
}
