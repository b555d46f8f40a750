import { MAX_PATCH_BYTES } from '@nexus/contract';
import { readFileSync } from 'node:fs';
import { CliError, usage } from '../errors.ts';
import type { Worktree } from '../git.ts';
import { clean } from '../text.ts';
import { plumb } from '../wip/plumbing.ts';
import { type Entries, headOf, type Scratch, withScratch } from './scratch.ts';

/** What the change is taken from: the worktree's files, a diff, or an edited copy of one file. */
export type Source = { paths: string[] } | { diff: string } | { path: string; copy: string };
/** `before` and `after`: what git calls the files at HEAD, and with the change. */
export type Made = { diff: string; base: string | undefined; paths: string[]; before: Entries; after: Entries };

/** The change against HEAD, always in the one form that the server reads. Touches neither index nor worktree. */
export const makePatch = (worktree: Worktree, source: Source): Promise<Made> =>
  withScratch(worktree, async (scratch) => {
    const base = await headOf(worktree);
    await scratch.reset(base);
    if ('paths' in source) await scratch.git(['add', '-A', '--', ...source.paths]);
    else if ('copy' in source) await takeCopy(scratch, source);
    else await takeDiff(scratch, source.diff);
    const tree = base ?? (await plumb(worktree.toplevel, ['hash-object', '-t', 'tree', '--stdin'])) ?? '';
    const names = await scratch.git(['diff-index', '--cached', '--name-only', '--no-renames', '-z', tree]);
    const paths = names.toString().split('\0').filter(Boolean);
    if (paths.length === 0) throw new CliError('failure', 'NO_CHANGE', nothingChanged(source));
    const after = await scratch.entries(paths);
    const args = ['--cached', '-p', '-U3', '--full-index', '--no-renames', '--no-ext-diff', '--no-textconv', '--no-color'];
    const plain = ['-c', 'diff.suppressBlankEmpty=false', 'diff-index', ...args, '--src-prefix=a/', '--dst-prefix=b/', tree];
    const diff = textOf(await scratch.git(plain));
    await scratch.reset(base);
    return { diff, base, paths, before: await scratch.entries(paths), after };
  });

async function takeCopy(scratch: Scratch, { path, copy }: { path: string; copy: string }): Promise<void> {
  const mode = (await scratch.entries([path])).get(path)?.split(' ')[0] ?? '100644';
  const blob = (await scratch.git(['hash-object', '-w', `--path=${path}`, '--stdin'], decoded(readFileSync(copy)))).toString().trim();
  await scratch.put(new Map([[path, `${mode} ${blob}`]]), [path]);
}

/** By hand, or by a model: line counts are often wrong. */
async function takeDiff(scratch: Scratch, diff: string): Promise<void> {
  const { ok, err } = await scratch.attempt(
    ['apply', '--cached', '--recount', '--whitespace=nowarn'],
    diff.endsWith('\n') ? diff : `${diff}\n`,
  );
  if (!ok)
    throw new CliError(
      'failure',
      'PATCH_UNREADABLE',
      `This diff does not fit HEAD, so nothing was kept. git says: ${clean(err)}. --as takes an edited copy of the file instead.`,
    );
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw binary('It');
  }
}

function textOf(bytes: Buffer): string {
  const text = decoded(bytes);
  const found = /^Binary files (?:\/dev\/null and b|a)\/(.*?)(?: and (?:b\/.*|\/dev\/null))? differ$/m.exec(text)?.[1];
  if (found !== undefined) throw binary(found);
  if (bytes.length > MAX_PATCH_BYTES)
    throw usage(
      `This change has ${Math.ceil(bytes.length / 1024)} KB, and a patch has at most ${MAX_PATCH_BYTES / 1024}. Ask for the path instead (nexus request), or cut it into several.`,
    );
  return text;
}

const binary = (what: string): CliError =>
  usage(
    `${clean(what)} is binary, or no UTF-8 text: a patch is for text that its holder can read. Ask for the path instead (nexus request).`,
  );

const nothingChanged = (source: Source): string =>
  `Nothing differs from HEAD${'paths' in source ? ` in ${source.paths.map(clean).join(', ')}` : ''}: there is no change to leave. Where edits are refused, edit a copy elsewhere and give it with --as.`;
