type Line = { sign: ' ' | '-' | '+'; text: string };
const context = 3;

/** The change of one file as `diff -u` writes it, in one hunk; empty when there is none. */
export function unifiedDiff(path: string, before: string | undefined, after: string | undefined): string {
  if (before === after) return '';
  const lines = compare(linesOf(before), linesOf(after));
  const changed = lines.flatMap(({ sign }, index) => (sign === ' ' ? [] : [index]));
  const from = Math.max(0, (changed[0] ?? 0) - context);
  const shown = lines.slice(from, (changed.at(-1) ?? 0) + context + 1);
  const count = (without: Line['sign'], among: Line[]): number => among.filter(({ sign }) => sign !== without).length;
  const range = (without: Line['sign']): string => {
    const size = count(without, shown);
    return `${count(without, lines.slice(0, from)) + (size === 0 ? 0 : 1)},${size}`;
  };
  const head = [`--- ${before === undefined ? '/dev/null' : path}`, `+++ ${after === undefined ? '/dev/null' : path}`];
  const body = shown.map(({ sign, text }) => (text.endsWith('\n') ? sign + text : `${sign}${text}\n\\ No newline at end of file\n`));
  return `${head.join('\n')}\n@@ -${range('+')} +${range('-')} @@\n${body.join('')}`;
}

const linesOf = (text: string | undefined): string[] => (text ?? '').match(/[^\n]*\n|[^\n]+$/g) ?? [];

/** By the longest common subsequence: quadratic, for files that people edit by hand. */
function compare(before: string[], after: string[]): Line[] {
  const lengths = Array.from({ length: before.length + 1 }, () => new Uint32Array(after.length + 1));
  const at = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  for (let i = before.length - 1; i >= 0; i -= 1) {
    const row = lengths[i];
    for (let j = after.length - 1; row !== undefined && j >= 0; j -= 1)
      row[j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  }
  const lines: Line[] = [];
  for (let i = 0, j = 0; i < before.length || j < after.length;) {
    const [old, made] = [before[i], after[j]];
    if (old !== undefined && old === made) {
      lines.push({ sign: ' ', text: old });
      [i, j] = [i + 1, j + 1];
    } else if (old !== undefined && (made === undefined || at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ sign: '-', text: old });
      i += 1;
    } else {
      lines.push({ sign: '+', text: made ?? '' });
      j += 1;
    }
  }
  return lines;
}
