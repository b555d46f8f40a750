import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { gitWrites } from './shell-git.ts';
import { type Simple, splitShell, type Word } from './shell-words.ts';
import { fileWrites, isReader, patchPaths } from './shell-files.ts';

/** What a command line writes, as far as it can be told before it runs. */
export type ShellWrites = {
  /** Absolute. */
  paths: string[];
  /** git commands that write whatever is dirty below `scope`. */
  sweeping: { command: string; scope: string; whole: boolean; instead: string }[];
  /** It may write more than `paths`: what changed is looked at afterwards. */
  unclear: boolean;
  commits: boolean;
  /** It runs the `nexus` command, so what is held may be another afterwards. */
  usesNexus: boolean;
};

/** Words that stand before a command and change nothing of what it writes. */
const prefixes = new Set([
  'then',
  'do',
  'else',
  'elif',
  'if',
  'while',
  'until',
  '!',
  '{',
  'time',
  'sudo',
  'env',
  'command',
  'nohup',
  'exec',
  'builtin',
]);

/** Never throws; what it does not understand is `unclear`. */
export function parseShell(command: string, cwd: string): ShellWrites {
  const found: ShellWrites = { paths: [], sweeping: [], unclear: false, commits: false, usesNexus: /\bnexus\b/.test(command) };
  /** Undefined after a `cd` to where only the shell knows. */
  const at: { cwd: string | undefined } = { cwd };
  for (const simple of splitShell(command.slice(0, 100_000))) readCommand(simple, at, found);
  return { ...found, paths: [...new Set(found.paths)] };
}

function readCommand(simple: Simple, at: { cwd: string | undefined }, found: ShellWrites): void {
  const add = (words: Word[], base = at.cwd): void => {
    for (const { text, dynamic } of words) {
      if (dynamic || text === '' || (base === undefined && !text.startsWith('/'))) found.unclear = true;
      else found.paths.push(resolve(base ?? '/', text));
    }
  };
  add(simple.writes.filter(({ text }) => !text.startsWith('/dev/')));
  const words = withoutPrefixes(simple.words);
  const [program, ...args] = words;
  if (program === undefined) return;
  if (program.dynamic) return void (found.unclear = true);
  const name = basename(program.text);
  if (name === 'cd' || name === 'pushd') {
    const [to] = args.filter(({ text }) => !text.startsWith('-'));
    at.cwd = to === undefined || to.dynamic || at.cwd === undefined ? undefined : resolve(at.cwd, to.text);
  } else if (name === 'git') readGit(args, at.cwd, found, add);
  else if (name === 'apply_patch') add(patchPaths([...simple.heredocs, ...args.map(({ text }) => text)]));
  else if (packageManagers.has(name)) readPackages(name, args, at.cwd, found, add);
  else {
    const writes = fileWrites(name, args, (path) => at.cwd !== undefined && isDirectory(resolve(at.cwd, path)));
    if (writes !== undefined) add(writes);
    else if (!isReader(name, args)) found.unclear = true;
  }
}

function withoutPrefixes(words: Word[]): Word[] {
  const first = words.findIndex(({ text }) => !prefixes.has(text) && !/^[A-Za-z_]\w*=/.test(text));
  return first < 0 ? [] : words.slice(first);
}

function readGit(args: Word[], cwd: string | undefined, found: ShellWrites, add: (words: Word[], base?: string) => void): void {
  let dir = cwd;
  let rest = args;
  while (rest[0]?.text.startsWith('-')) {
    const [option, value] = rest;
    const takesValue = option !== undefined && /^(?:-C|-c|--git-dir|--work-tree|--namespace)$/.test(option.text);
    if (option?.text === '-C') dir = value === undefined || value.dynamic || dir === undefined ? undefined : resolve(dir, value.text);
    rest = rest.slice(takesValue ? 2 : 1);
  }
  const verb = rest[0]?.text ?? '';
  if (verb === 'commit') found.commits = true;
  const writes = gitWrites(rest, (path) => dir !== undefined && existsSync(resolve(dir, path)));
  add(writes.paths, dir);
  if (writes.unclear) found.unclear = true;
  if (writes.sweeping === undefined || dir === undefined) return;
  const command = `git ${rest.map(({ text }) => text).join(' ')}`;
  const { scope, instead } = writes.sweeping;
  found.sweeping.push({
    command: command.length > 60 ? `${command.slice(0, 60)}…` : command,
    scope: dir,
    whole: scope === 'worktree',
    instead,
  });
}

const packageManagers = new Map([
  ['npm', 'package-lock.json'],
  ['pnpm', 'pnpm-lock.yaml'],
  ['yarn', 'yarn.lock'],
  ['bun', 'bun.lock'],
]);
const changesPackages = new Set(['add', 'install', 'i', 'remove', 'rm', 'uninstall', 'un', 'update', 'up', 'upgrade']);

/** With packages named, manifest and lockfile change; a bare install may change the lockfile, or nothing. */
function readPackages(name: string, args: Word[], cwd: string | undefined, found: ShellWrites, add: (words: Word[]) => void): void {
  const [verb, ...operands] = args.filter(({ text }) => !text.startsWith('-'));
  if (verb === undefined || !changesPackages.has(verb.text) || operands.length === 0 || cwd === undefined)
    return void (found.unclear = true);
  const lock = packageManagers.get(name) ?? '';
  const paths = [nearest(cwd, 'package.json'), nearest(cwd, lock)];
  add(paths.map((text) => ({ text, dynamic: false })));
  found.unclear = true;
}

/** The lockfile of a workspace lies above its packages. */
function nearest(from: string, name: string): string {
  for (let dir = from; ; dir = dirname(dir)) {
    if (existsSync(join(dir, name))) return join(dir, name);
    if (existsSync(join(dir, '.git')) || dirname(dir) === dir) return join(from, name);
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
