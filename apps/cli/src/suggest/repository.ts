import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { git } from '../git.ts';

/** What a suggestion is made from: every tracked text, and which files changed together. */
export type Repository = { texts: Map<string, string>; commits: string[][] };

/** More of a file says nothing new. */
const READ = 60_000;
/** Commits that touch more than this are moves and reformats: they tie everything to everything. */
const WIDE = 30;

export async function readRepository(dir: string, options: { commits?: number; at?: string } = {}): Promise<Repository> {
  const listed = (await git(dir, 'ls-files', '-z'))?.split('\0').filter(Boolean) ?? [];
  const texts = new Map<string, string>();
  for (const path of listed) {
    const file = join(dir, path);
    if (!statSync(file, { throwIfNoEntry: false })?.isFile()) continue;
    const text = readFileSync(file, 'utf8').slice(0, READ);
    if (!text.slice(0, 1000).includes('\u0000')) texts.set(path, text);
  }
  const log = await git(
    dir,
    'log',
    '--no-merges',
    `--max-count=${options.commits ?? 500}`,
    '--name-only',
    '--format=%x01',
    options.at ?? 'HEAD',
  );
  const commits = (log ?? '')
    .split('\u0001')
    .map((part) => part.split('\n').filter((path) => texts.has(path)))
    .filter((paths) => paths.length > 0 && paths.length <= WIDE);
  return { texts, commits };
}
