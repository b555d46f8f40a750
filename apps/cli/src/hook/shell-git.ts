import type { Word } from './shell-words.ts';

/** What a git command does to the files of a worktree. `sweeping` ones write whatever is dirty in `scope`. */
export type GitWrites = { paths: Word[]; sweeping?: { scope: 'worktree' | 'directory'; instead: string }; unclear: boolean };

const none: GitWrites = { paths: [], unclear: false };
const some = (paths: Word[]): GitWrites => ({ paths, unclear: paths.some(({ dynamic }) => dynamic) });
const sweeping = (instead: string, scope: 'worktree' | 'directory' = 'worktree'): GitWrites => ({
  paths: [],
  sweeping: { scope, instead },
  unclear: true,
});
const unclear: GitWrites = { paths: [], unclear: true };

const readers = new Set(
  ['status', 'log', 'diff', 'show', 'blame', 'rev-parse', 'rev-list', 'ls-files', 'ls-tree', 'grep', 'fetch', 'remote', 'config'].concat([
    'describe',
    'cat-file',
    'for-each-ref',
    'shortlog',
    'reflog',
    'push',
    'branch',
    'tag',
    'version',
    'help',
    'check-ignore',
    'merge-base',
  ]),
);

const ownWork = 'commit the own paths by name (`git commit -- <path>`) and use a worktree of its own (`git worktree add`)';

/** `words` are what follows `git` and its global options. `exists` tells a path from a branch where git would guess too. */
export function gitWrites(words: Word[], exists: (path: string) => boolean): GitWrites {
  const [verb, ...rest] = words;
  const name = verb?.text ?? '';
  const dashes = rest.findIndex(({ text }) => text === '--');
  const before = dashes < 0 ? rest : rest.slice(0, dashes);
  const after = dashes < 0 ? [] : rest.slice(dashes + 1);
  const operands = [...before.filter(({ text }) => !text.startsWith('-')), ...after];
  const has = (...options: string[]): boolean => before.some(({ text }) => options.includes(text));
  const short = (letter: string): boolean => before.some(({ text }) => /^-[a-zA-Z]+$/.test(text) && text.includes(letter));
  /** Pathspecs: `.` is everything below here, `:/` the whole worktree. */
  const spec = (paths: Word[], instead: string): GitWrites => {
    if (paths.some(({ text }) => text === ':/' || text === ':' || text === '*')) return sweeping(instead);
    return paths.some(({ text }) => /^\.\/?$/.test(text)) ? sweeping(instead, 'directory') : some(paths);
  };
  if (readers.has(name)) return none;
  switch (name) {
    case 'reset':
      return has('--hard', '--merge', '--keep') ? sweeping('`git restore <path>` for the own paths') : none;
    case 'checkout': {
      if (after.length > 0) return spec(after, '`git checkout -- <path>` for the own paths');
      if ((has('-b', '-B', '--orphan') || short('b')) && operands.length <= 1) return none;
      const [first, ...others] = operands;
      if (first?.text === '.') return sweeping('`git checkout -- <path>` for the own paths', 'directory');
      if (first && exists(first.text) && !has('-b', '-B')) return spec([first, ...others], '`git checkout -- <path>` for the own paths');
      return others.length > 0 && others.every(({ text }) => exists(text)) ? some(others) : sweeping(ownWork);
    }
    case 'switch':
      return (has('-c', '-C', '--create') || short('c')) && operands.length <= 1 ? none : sweeping(ownWork);
    case 'restore':
      return has('--staged', '-S') && !has('--worktree', '-W')
        ? none
        : spec(withoutValues(rest, ['-s', '--source']), '`git restore <path>` for the own paths');
    case 'stash': {
      const [action] = operands;
      if (action && ['list', 'show', 'drop', 'create', 'store', 'clear', 'branch'].includes(action.text)) return none;
      return after.length > 0 && action?.text === 'push'
        ? spec(after, '`git stash push -- <path>`')
        : sweeping('`git stash push -- <path>` for the own paths');
    }
    case 'clean':
      if (has('--dry-run') || short('n')) return none;
      return operands.length > 0 ? spec(operands, '`rm <path>` for the own files') : sweeping('`rm <path>` for the own files', 'directory');
    case 'rebase':
    case 'pull':
    case 'merge':
      return has('--abort', '--continue', '--quit', '--skip') ? unclear : sweeping(ownWork);
    case 'add':
      if (has('-A', '--all', '-u', '--update') || short('A') || short('u')) return sweeping('`git add <path>` for the own paths');
      return { ...spec(operands, '`git add <path>` for the own paths'), paths: [], unclear: false };
    case 'commit':
      return has('-a', '--all') || before.some(({ text }) => /^-[a-zA-Z]*a[a-zA-Z]*$/.test(text.replace(/m.*/, '')))
        ? sweeping('`git commit -- <path>`, or `git add <path>` first')
        : none;
    case 'mv':
      return some(operands);
    case 'rm':
      return has('--cached') ? none : spec(operands, '`git rm <path>` for the own paths');
    default:
      return unclear;
  }
}

/** Operands, without those that are an option's value. */
function withoutValues(words: Word[], options: string[]): Word[] {
  return words.filter(({ text }, index) => !text.startsWith('-') && !options.includes(words[index - 1]?.text ?? ''));
}
