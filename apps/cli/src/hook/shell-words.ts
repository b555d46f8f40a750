/** A word as the shell would hand it on. `dynamic` ones hold an expansion that only the shell can make. */
export type Word = { text: string; dynamic: boolean };
/** One command without its pipes: its words, the files that its redirections write, its here-documents. */
export type Simple = { words: Word[]; writes: Word[]; heredocs: string[] };

type Reader = { text: string; at: number };

/**
 * The simple commands of a command line, in order. An approximation of POSIX shell: groups and control structures come
 * apart into their commands, what stands in `$(…)` stays a dynamic word.
 */
export function splitShell(text: string): Simple[] {
  const reader: Reader = { text, at: 0 };
  const commands: Simple[] = [];
  let current: Simple = { words: [], writes: [], heredocs: [] };
  let waiting: { end: string; tabs: boolean; into: string[] }[] = [];
  const finish = (): void => {
    if (current.words.length > 0 || current.writes.length > 0) commands.push(current);
    current = { words: [], writes: [], heredocs: [] };
  };
  while (reader.at < text.length) {
    const char = text[reader.at] ?? '';
    if (char === '\n') {
      reader.at += 1;
      for (const { end, tabs, into } of waiting) into.push(readHeredoc(reader, end, tabs));
      waiting = [];
      finish();
    } else if (/\s/.test(char)) reader.at += 1;
    else if (char === '#') reader.at = endOfLine(reader);
    else if (char === '\\' && text[reader.at + 1] === '\n') reader.at += 2;
    else if (match(reader, /[0-9]*<<<\s*/y)) readWord(reader);
    else if (char === '<' && text[reader.at + 1] === '<') {
      const tabs = match(reader, /<<(-?)[ \t]*/y)?.[1] === '-';
      waiting.push({ end: readWord(reader).text, tabs, into: current.heredocs });
    } else if (match(reader, /[0-9]*[<>]&[0-9-]+/y)) continue;
    else if (match(reader, /(?:[0-9]*|&)>{1,2}[|&]?[ \t]*/y)) current.writes.push(readWord(reader));
    else if (match(reader, /[0-9]*<[ \t]*/y)) readWord(reader);
    else if (match(reader, /[;&|()]+/y)) finish();
    else current.words.push(readWord(reader));
  }
  finish();
  return commands;
}

function match(reader: Reader, pattern: RegExp): RegExpExecArray | undefined {
  pattern.lastIndex = reader.at;
  const found = pattern.exec(reader.text);
  if (found === null || found[0] === '') return undefined;
  reader.at += found[0].length;
  return found;
}

const endOfLine = ({ text, at }: Reader): number => (text.indexOf('\n', at) < 0 ? text.length : text.indexOf('\n', at));

function readHeredoc(reader: Reader, end: string, tabs: boolean): string {
  const lines: string[] = [];
  while (reader.at < reader.text.length) {
    const stop = endOfLine(reader);
    const line = reader.text.slice(reader.at, stop);
    reader.at = stop + 1;
    if ((tabs ? line.replace(/^\t+/, '') : line) === end) break;
    lines.push(line);
  }
  return lines.join('\n');
}

/** Always moves on, so that no input makes the reading endless. */
function readWord(reader: Reader): Word {
  const word: Word = { text: '', dynamic: false };
  const { text } = reader;
  const start = reader.at;
  while (reader.at < text.length) {
    const char = text[reader.at] ?? '';
    if (/[\s;&|()<>]/.test(char)) break;
    reader.at += 1;
    if (char === '\\') word.text += text[reader.at++] ?? '';
    else if (char === "'") word.text += upTo(reader, "'");
    else if (char === '"') readQuoted(reader, word);
    else if (char === '$' || char === '`') readExpansion(reader, char, word);
    else {
      if (/[*?[{]/.test(char) || (char === '~' && word.text === '')) word.dynamic = true;
      word.text += char;
    }
  }
  if (reader.at === start) reader.at += 1;
  return word;
}

function upTo(reader: Reader, end: string): string {
  const stop = reader.text.indexOf(end, reader.at);
  const found = reader.text.slice(reader.at, stop < 0 ? undefined : stop);
  reader.at = stop < 0 ? reader.text.length : stop + 1;
  return found;
}

function readQuoted(reader: Reader, word: Word): void {
  const { text } = reader;
  while (reader.at < text.length) {
    const char = text[reader.at++] ?? '';
    if (char === '"') return;
    if (char === '\\' && /[$`"\\\n]/.test(text[reader.at] ?? '')) word.text += text[reader.at++];
    else if (char === '$' || char === '`') readExpansion(reader, char, word);
    else word.text += char;
  }
}

function readExpansion(reader: Reader, char: string, word: Word): void {
  word.dynamic = true;
  if (char === '`') return void upTo(reader, '`');
  if (reader.text[reader.at] !== '(' && reader.text[reader.at] !== '{') return void (word.text += char);
  const open = reader.text[reader.at];
  const close = open === '(' ? ')' : '}';
  for (let depth = 0; reader.at < reader.text.length;) {
    const next = reader.text[reader.at++];
    if (next === open) depth += 1;
    else if (next === close && --depth === 0) return;
  }
}
