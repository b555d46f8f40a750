import { AppError } from '../platform/errors.ts';

/** The blobs before and after; null: there is none, or only the mode changes. */
export type FileChange = { path: string; before: string | null; after: string | null };

/**
 * The files that a diff changes. It is read as strictly as git writes it, for the paths found here are those that must be
 * held when it is applied: nothing in it may mean a further file to git. Throws a 400 that names the line.
 */
export function readDiff(diff: string): FileChange[] {
  const lines = diff.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const files: FileChange[] = [];
  let at = 0;
  do {
    const section = readFile(lines, at);
    if (files.some(({ path }) => path === section.file.path)) throw unread(at, `it changes ${section.file.path} twice`);
    files.push(section.file);
    at = section.end;
  } while (at < lines.length);
  return files;
}

const NULL = /^0+$/;
const modes = /^(?:old mode|new mode|deleted file mode|new file mode) (\d{6})$/;
const hunk = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/;

function readFile(lines: string[], from: number): { file: FileChange; end: number } {
  const path = nameIn(lines[from] ?? '', from);
  let blobs: [string, string] | undefined;
  let changes = false;
  let at = from + 1;
  for (; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    const [, mode] = modes.exec(line) ?? [];
    const [, before, after, same] = /^index ([0-9a-f]{40}|[0-9a-f]{64})\.\.([0-9a-f]{40}|[0-9a-f]{64})(?: (\d{6}))?$/.exec(line) ?? [];
    if (mode !== undefined || same !== undefined) requireRegular(mode ?? same ?? '', path, at);
    if (mode !== undefined) changes = true;
    else if (before !== undefined && after !== undefined) blobs = [before, after];
    else if (/^(?:Binary files|GIT binary patch)/.test(line))
      throw unread(at, `${path} is binary, and a patch is for text that its holder can read. Ask for the path instead (nexus request)`);
    else break;
  }
  if (lines[at]?.startsWith('--- ')) {
    requireName(lines[at], '---', ['/dev/null', `a/${path}`], at);
    requireName(lines[at + 1], '+++', ['/dev/null', `b/${path}`], at + 1);
    if (blobs === undefined) throw unread(at, `${path} has no whole blob ids (--full-index)`);
    const end = readHunks(lines, at + 2);
    if (end === at + 2) throw unread(end, `nothing changes in ${path}`);
    at = end;
    changes = true;
  }
  // An empty file that comes or goes has its blobs and no hunk.
  if (!changes) throw unread(at, `nothing changes in ${path}`);
  if (at < lines.length && !lines[at]?.startsWith('diff --git ')) throw unread(at, 'this is no line of a diff as git writes it');
  const blob = (id: string | undefined) => (id === undefined || NULL.test(id) ? null : id);
  return { file: { path, before: blob(blobs?.[0]), after: blob(blobs?.[1]) }, end: at };
}

/** Both names are one, for nothing is renamed; so the line has a middle. */
function nameIn(line: string, at: number): string {
  const names = /^diff --git (a\/.+)$/.exec(line)?.[1] ?? '';
  const half = (names.length - 1) / 2;
  const path = names.slice(2, half);
  if (path === '' || names !== `a/${path} b/${path}`)
    throw unread(at, 'expected "diff --git a/<path> b/<path>", with one path that needs no quotes, and no rename (--no-renames)');
  return path;
}

function requireRegular(mode: string, path: string, at: number): void {
  if (!/^100(?:644|755)$/.test(mode)) throw unread(at, `${path} is no regular file`);
}

/** Git puts a tab behind names with a space. */
function requireName(line: string | undefined, mark: string, names: string[], at: number): void {
  if (!names.some((name) => line === `${mark} ${name}` || line === `${mark} ${name}\t`))
    throw unread(at, `expected "${mark} ${names[1] ?? ''}"`);
}

/** Hunks have just the lines that their heads count. Answers where the next file begins. */
function readHunks(lines: string[], from: number): number {
  let at = from;
  for (let head = hunk.exec(lines[at] ?? ''); head; head = hunk.exec(lines[at] ?? '')) {
    let [before, after] = [Number(head[1] ?? 1), Number(head[2] ?? 1)];
    for (at += 1; before > 0 || after > 0 || lines[at]?.startsWith('\\'); at += 1) {
      const mark = lines[at]?.[0];
      if (mark === '\\') continue;
      if (mark !== ' ' && mark !== '-' && mark !== '+') throw unread(at, 'the hunk is shorter than its head says');
      if (mark !== '+') before -= 1;
      if (mark !== '-') after -= 1;
    }
    if (before < 0 || after < 0) throw unread(at, 'the hunk is longer than its head says');
  }
  return at;
}

const unread = (at: number, what: string) =>
  new AppError('VALIDATION_ERROR', `diff: line ${at + 1}: ${what}. \`nexus patch create\` makes one that is understood.`, {
    details: { field: 'diff', line: at + 1 },
  });
