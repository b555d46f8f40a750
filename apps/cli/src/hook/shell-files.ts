import { basename, join } from 'node:path';
import type { Word } from './shell-words.ts';

/** What the well-known file commands write; undefined for any other command. */
export function fileWrites(name: string, args: Word[], isDirectory: (path: string) => boolean): Word[] | undefined {
  const operands = operandsOf(args, valued[name] ?? []);
  switch (name) {
    case 'tee':
    case 'touch':
    case 'truncate':
    case 'rm':
    case 'rmdir':
    case 'unlink':
      return operands;
    case 'mv':
      return [...sources(args, operands), ...targets(args, operands, isDirectory)];
    case 'cp':
    case 'install':
    case 'ln':
      return targets(args, operands, isDirectory);
    case 'sed':
      if (!args.some(({ text }) => /^(?:-[a-zA-Z]*i|--in-place)/.test(text))) return undefined;
      return (
        args.some(({ text }) => /^(?:-[a-zA-Z]*[ef]$|--expression|--file)/.test(text)) ? operands : operands.filter(notEmpty).slice(1)
      ).filter(notEmpty);
    case 'perl':
      return args.some(({ text }) => /^-[a-zA-Z]*i/.test(text)) ? operands : undefined;
    case 'dd':
      return args.flatMap(({ text, dynamic }) => (text.startsWith('of=') ? [{ text: text.slice(3), dynamic }] : []));
    default:
      return undefined;
  }
}

/** Options whose value is a word of its own. */
const valued: Record<string, string[]> = {
  truncate: ['-s', '--size', '-r', '--reference'],
  touch: ['-d', '-r', '-t', '--date', '--reference'],
  mv: ['-t', '--target-directory', '-S', '--suffix'],
  cp: ['-t', '--target-directory', '-S', '--suffix'],
  install: ['-t', '-m', '-o', '-g', '--mode', '--owner', '--group'],
  ln: ['-t', '-S'],
  sed: ['-e', '-f', '-l', '--expression', '--file'],
  perl: ['-e', '-E', '-pe', '-ne', '-pie', '-lpe', '-I', '-M'],
};

function operandsOf(args: Word[], withValue: string[]): Word[] {
  const operands: Word[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const word = args[index];
    if (word === undefined) break;
    if (word.text === '--') return [...operands, ...args.slice(index + 1)];
    if (withValue.includes(word.text) || (withValue.includes('-e') && /^-[a-zA-Z]*i[a-zA-Z]*e$/.test(word.text))) index += 1;
    else if (!word.text.startsWith('-') || word.text === '-') operands.push(word);
  }
  return operands;
}

const notEmpty = ({ text }: Word): boolean => text !== '';

const targetOption = (args: Word[]): Word | undefined =>
  args[args.findIndex(({ text }) => text === '-t' || text === '--target-directory') + 1];
const hasTarget = (args: Word[]): boolean => args.some(({ text }) => text === '-t' || text === '--target-directory');

const sources = (args: Word[], operands: Word[]): Word[] => (hasTarget(args) ? operands : operands.slice(0, -1));

/** Into a directory, each source keeps its name. */
function targets(args: Word[], operands: Word[], isDirectory: (path: string) => boolean): Word[] {
  const target = hasTarget(args) ? targetOption(args) : operands.at(-1);
  if (target === undefined) return [];
  if (!hasTarget(args) && (target.dynamic || !isDirectory(target.text))) return [target];
  return sources(args, operands).map((source) => ({
    text: join(target.text, basename(source.text)),
    dynamic: source.dynamic || target.dynamic,
  }));
}

/** Headers of an `apply_patch` patch. */
export function patchPaths(patches: string[]): Word[] {
  const header = /^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.+)$/gm;
  return patches.flatMap((patch) => [...patch.matchAll(header)].map(([, path = '']) => ({ text: path.trim(), dynamic: false })));
}

const readers = new Set(
  'ls cat head tail grep egrep fgrep rg ag wc echo printf pwd test [ [[ true false : sleep which type whereis date stat file diff cmp tree du df ps jq yq sort uniq cut tr nl tac rev column less more basename dirname realpath readlink export set unset exit return break continue wait kill seq id whoami uname hostname printenv nproc free uptime md5sum sha1sum sha256sum xxd od hexdump strings mkdir popd fi done esac } ]] nexus man tput clear history alias jobs fg bg ulimit umask read local declare for in case'.split(
    ' ',
  ),
);

/** Commands that write no file by themselves. */
export function isReader(name: string, args: Word[]): boolean {
  if (name === 'find' || name === 'fd') return !args.some(({ text }) => /^-(?:delete|exec|execdir|ok|fprint\w*|x|X)$/.test(text));
  if (name === 'awk' || name === 'gawk') return !args.some(({ text }) => /[>|]|^-i/.test(text));
  if (name === 'sed') return !args.some(({ text }) => /(?:^|[;\n/0-9$])w /.test(text));
  return readers.has(name);
}
